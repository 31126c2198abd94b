// Shards of a made input, and the single run of it, written through the store: a pure function of
// the plan, with rejects and with records that repeat earlier ones. No input, no encoder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "store/embedding_store.hpp"
#include "store/merged_arrays.hpp"

namespace longhaul::store::test {

struct DealtPlan {
  std::uint64_t records = 50;
  Deal deal;
  StoreLayout layout = single_vector(6, OutputDtype::kFp32, {"label"});
};

// The earlier record that a record repeats.
std::optional<std::uint64_t> original_of(const DealtPlan& plan, std::uint64_t position);

std::string shard_path(const std::string& output, const DealtPlan& plan, std::uint64_t index);

// The output of a single run, duplicates and all.
void write_whole(Files& files, const std::string& directory, const DealtPlan& plan);
// Those of all shards, which look for no duplicates.
void write_shards(Files& files, const std::string& output, const DealtPlan& plan);

}  // namespace longhaul::store::test
