// What several retries of one run's rejects amount to, for who replays its run.json.
// A value; any thread. Throws Error(kUsage) where run.json's "retries" are no such list.
#pragma once

#include <nlohmann/json.hpp>

namespace longhaul::config {

// What the retries of a run (run.json's "retries") amount to: the settings that a run from the
// start needs for the output as it is now. Where two retries allowed different things no one retry
// had all of them, and `exact` is false: such a run may accept records that no retry did.
struct MergedRetries {
  nlohmann::json settings = nlohmann::json::object();  // by name; null: left to its default
  bool exact = true;
};
MergedRetries merge_retries(const nlohmann::json& run_report);

// run.json and --print-config write {"value": ..., "origin": ...}.
const nlohmann::json& recorded_value(const nlohmann::json& entry);

}  // namespace longhaul::config
