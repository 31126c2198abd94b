// What a merged output says of itself, from what its shards said: run.json, memory.jsonl, and the
// limit of rejects. One thread. Throws Error(kIo); kBadData for a run.json that is no report.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/log.hpp"
#include "config/run_config.hpp"
#include "domain/counters.hpp"
#include "session/shard_set.hpp"

namespace longhaul::session {

// run.json of each shard, in order.
std::vector<nlohmann::ordered_json> shard_reports(const ShardSet& set);

// What the shards were told, the strictest where they differ.
config::RejectLimit limit_of(const std::vector<nlohmann::ordered_json>& reports);

struct MergedRun {
  ExitCode code = ExitCode::kDone;
  Counters counters;
  nlohmann::json fingerprint;
  nlohmann::json merge;     // by what, when and where it was merged
  nlohmann::json settings;  // those that are not the shards', by name
};
// That of a single run, with the sessions of all shards, each with its "shard".
nlohmann::ordered_json merged_report(const ShardSet& set,
                                     const std::vector<nlohmann::ordered_json>& reports,
                                     const MergedRun& run);

// The shards' curves one after another, each line with its "shard". What memory did is no part of
// the result: lines that a kill tore, or damage, are left out, and `log` is warned of them and of a
// file that is gone. Durable when it returns.
void write_memory_log(Files& files, const std::string& output, const ShardSet& set, Log& log);

}  // namespace longhaul::session
