// `longhaul merge OUT`: the shards of an output become one output, after it is proved that they are
// complete and belong together (shard_set.hpp). Nothing is written before that, nothing of a shard
// is removed before the merged output claims it, and a merge that was stopped or killed goes on
// where it was (store/merged_output.hpp).
// One thread. Throws Error: those of shard_set.hpp; kUnavailable while another process has the
// output; kMismatch where the output holds something else; kBadData where more records were
// rejected than allowed; kIo.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/log.hpp"
#include "config/run_config.hpp"

namespace longhaul::session {

struct MergeRequest {
  std::string output;
  bool remove_shards = false;
  std::optional<config::RejectLimit> max_rejects;  // else what the shards were given
  // What run.json tells of settings that shards were given in parts: those of the whole.
  nlohmann::json settings = nlohmann::json::object();
};

// What the process lends a merge; all of it outlives the merge.
struct MergeHost {
  Files& files;
  Log& log;
  std::string lock_holder;
  nlohmann::json versions;  // of the program and its libraries
  nlohmann::json session;   // when it started, where, on what and with which command line
  std::function<std::string()> utc_now;
  std::function<bool()> stop;  // somebody asked this process to end
  // Records that have their place so far, of all of them.
  std::function<void(std::uint64_t done, std::uint64_t all)> progress;
};

// The exit code that is recorded from then on. Throws Error(kInterrupted) when `stop` says so.
ExitCode merge_shards(const MergeRequest& request, const MergeHost& host);

}  // namespace longhaul::session
