// How far the shards of an output are, that is not merged yet. Reads and changes nothing; any
// thread. Throws Error(kBadData, kIo) for what all of them need; what is wrong with one shard is
// told of that one.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "domain/shard.hpp"

namespace longhaul::session {

struct ShardState {
  Shard shard;
  std::string state;  // of read_output_state(), "not begun", or "damaged: ..."
  std::string holder;
  std::string host;                 // of its last session
  std::uint64_t done = 0;           // records committed
  std::uint64_t rejected = 0;       // of those
  std::optional<double> rate;       // records a second, of its last session
  std::optional<std::uint64_t> of;  // records that are its own, once some shard has read them all
};

// All N of them, in order.
std::vector<ShardState> shard_states(Files& files, const std::string& output);

nlohmann::ordered_json to_json(const ShardState& shard);

}  // namespace longhaul::session
