// The shards of an output, read and proved to be one run's: nothing missing, nothing twice, one
// model, one input, one set of choices. Changes nothing. The caller holds their locks.
// One thread. Errors, each naming the shard or the file, and what to do:
//   kInterrupted  shards that are missing, being embedded or not finished: all of them, in one line
//   kMismatch     another model, input, setting, choice or number of shards
//   kBadData      damage, or a block that is there twice or not at all
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "domain/counters.hpp"
#include "domain/shard.hpp"
#include "session/run_begin.hpp"
#include "store/output_reader.hpp"

namespace longhaul::session {

// What to do about a damaged shard.
inline constexpr const char* kMendShard =
    "restore it from a copy, or embed that shard anew: its command with --overwrite";

// Finished, and read.
struct ShardOutput {
  Shard shard;
  store::OutputReader output;
  RunBegin begin;
  ShardFinish finish;
  Counters counters;

  // Tells this state of the shard from every other.
  const std::string& identity() const { return output.claims()->end.crc; }
};

struct ShardSet {
  std::vector<ShardOutput> shards;  // all, in order

  std::uint64_t count() const { return shards.size(); }
  const ShardOutput& first() const { return shards.front(); }
  // Records that are dealt together.
  std::uint64_t block() const { return dealt_block(first().begin.index); }
  // Of the whole input; all saw the same.
  const DigestedPart& whole() const { return first().finish.whole; }
};

// Proves what journals tell. `busy` says who holds a shard that could not be locked.
ShardSet read_shard_set(Files& files, const std::string& output,
                        const std::map<std::uint64_t, std::string>& busy);

// Proves what the files tell without their vectors: tables and reports as the journals claim them,
// arrays there with the right size. `claimed`: shards whose arrays are no longer needed.
void require_shard_files(Files& files, const ShardSet& set,
                         const std::map<std::uint64_t, std::string>& claimed,
                         const std::function<void()>& each);

}  // namespace longhaul::session
