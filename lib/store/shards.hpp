// The shards of an output before they are merged: OUT/shards/I-of-N/, each an output directory of
// its own, and OUT/shards/choices.json, which session/shard_choices.hpp reads and writes.
// Free functions; one thread. Throw Error(kIo).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "domain/shard.hpp"

namespace longhaul::store {

constexpr const char* kShards = "shards";
constexpr const char* kShardChoices = "choices.json";
// Of the input, in OUT: input/input_index.hpp. The other is one that is being written.
constexpr const char* kIndex = "index.jsonl";
constexpr const char* kIndexAside = "index.jsonl.tmp";

// Whether an index of ours is in OUT; false for another file of that name.
bool has_index(Files& files, const std::string& output);
// Takes those two out of the names of what is in OUT.
void pass_over_index(Files& files, const std::string& output, std::vector<std::string>& names);

std::string shards_directory(const std::string& output);                     // OUT/shards
std::string shard_directory(const std::string& output, const Shard& shard);  // OUT/shards/2-of-8
// Nothing for any other name.
std::optional<Shard> shard_from_name(std::string_view name);
// Those that have a directory, in order; of several counts where somebody mixed them.
std::vector<Shard> list_shards(Files& files, const std::string& output);
// Whether its run is complete.
bool is_finished(Files& files, const std::string& output, const Shard& shard);
// Whether anything of a shard is there.
bool has_shards(Files& files, const std::string& output);

// For who looks for a single output in a directory that has these names: throws Error(kMismatch)
// where it holds shards. A folder of theirs in which nothing was begun, and an index, are taken out
// of `names`.
void refuse_shards(Files& files, const std::string& directory, std::vector<std::string>& names);

// For who begins a shard: throws Error(kMismatch) where the output directory holds other things and
// no shards, nor an index.
void require_room_for_shards(Files& files, const std::string& output);

// Deletes the shards, each under its lock: Error(kUnavailable) for one that is being written,
// before any is touched that comes after it. What is not ours stays.
void remove_shards(Files& files, const std::string& output, const std::string& holder);

}  // namespace longhaul::store
