// What run.json says of a run, and the closing lines a person reads.
// Pure functions; any thread.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "base/log.hpp"
#include "encode/card.hpp"
#include "run/pipeline.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::session {

// 0, 3 or 65 for a run that is complete, from what it counted and the limits it was given; 71 when
// no record has a vector and memory is among the reasons.
ExitCode completed_code(const Counters& counters, bool reject_limit_given);
// What makes such a run, in the directory `output`, a failure; none for 0 and 3.
std::optional<std::string> completed_error(ExitCode code, const Counters& counters,
                                           const std::string& output);

// Says of a run that was complete before this start that there is nothing to do, and once more what
// makes it a failure. Its exit code.
ExitCode tell_finished(const std::string& name, const store::StoreState& state,
                       const std::string& output, Log& log);

// Rates, idle shares, padding: the "timings" of a session.
nlohmann::json describe_timings(const run::RunReport& report);

// Takes "left_out", which stands at the top of run.json, out of to_json() of counters.
nlohmann::json take_left_out(nlohmann::json& counts);
// The one warning about what was left out; none where nothing was.
std::optional<std::string> left_out_warning(const LeftOut& left_out, const std::string& output);

// "embedded 1,990 of 2,000 records; this session 2,000 in 41 s (48.5/s); 10 rejected (8
// invalid_character, 2 empty), see rejects.csv". Of a run that goes on later: "embedded 1,204
// records so far", those that are committed.
std::string closing_line(const run::RunReport& report);

}  // namespace longhaul::session
