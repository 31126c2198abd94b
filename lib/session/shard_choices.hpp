// What all shards of an output have in common: how many they are, the settings that make the
// numbers, and the choices that make the bits. OUT/shards/choices.json, made once, by whichever
// shard comes first; the others compute with what it says.
// Free functions; one thread. Throw Error(kIo); kBadData for a file that is damaged, kMismatch for
// one of a later version.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/files.hpp"
#include "domain/shard.hpp"
#include "session/run_begin.hpp"

namespace longhaul::session {

struct ShardChoices {
  std::uint64_t shards = 0;
  nlohmann::json fingerprint;               // run_identity.hpp
  Choices choices;                          // `device` is a kind, and threads are not in the file
  std::optional<IndexIdentity> index = {};  // that shards are dealt by; none: blocks of 64
};
nlohmann::json to_json(const ShardChoices& choices);

// Nothing where no shard has begun.
std::optional<ShardChoices> read_shard_choices(Files& files, const std::string& output);

// Offers `mine` as everybody's, in the name of `shard`, whose directory this process has locked.
// Gives what counts from then on: that, or what another shard offered before.
ShardChoices settle_shard_choices(Files& files, const std::string& output, const Shard& shard,
                                  const ShardChoices& mine);

}  // namespace longhaul::session
