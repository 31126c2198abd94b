// What several processes of one command find in their output before they start: nothing, shards of
// theirs to go on with, a merge to finish, or a run that is complete.
// Free functions; one thread. Throw Error: kMismatch where the output was begun otherwise, and
// those of store/embedding_store.hpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "config/run_config.hpp"
#include "domain/shard.hpp"

namespace longhaul::session {

struct ProcessOutput {
  // A plain session has nothing to embed here, and says so.
  bool complete = false;
  // Those that there is something left to do for, or whose input and settings are to be compared.
  std::vector<Shard> shards;
};

// Begins anew where --overwrite says so. `holder` is who does it.
ProcessOutput prepare_process_output(Files& files, const config::RunConfig& config,
                                     std::uint64_t count, const std::string& holder);

// Takes away the empty folders of processes that ended before any had begun. Each removes what it
// made itself, and leaves what another still has something in.
void remove_empty_output(Files& files, const std::string& output);

// One of `shards` that another process works on, and who that is; empty where nobody does. What a
// process that was killed had started ends by itself, a moment later.
std::string busy_shard(Files& files, const std::string& output, const std::vector<Shard>& shards);

}  // namespace longhaul::session
