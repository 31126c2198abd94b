// One session of `longhaul embed`, from request to report, in three steps:
//   prepare   opens the output, the card, the input and the encoder, so that cheap failures come
//             first
//   execute   runs the pipeline
//   conclude  finishes the output, or says how to go on
// What differs between kinds of runs is a Mode (mode.hpp). One thread. Throws Error; where the
// output was begun, run.json says why.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.hpp"
#include "config/run_config.hpp"
#include "session/continuation.hpp"
#include "session/host.hpp"

namespace longhaul::session {

struct Request {
  const config::ResolvedConfig& resolved;
  std::optional<Continuation> continuation;  // from the process before, after recycling
};

struct SessionEnd {
  ExitCode code = ExitCode::kDone;
  bool interrupted = false;        // what is committed is safe, and the same command continues
  nlohmann::ordered_json summary;  // of --json: run.json as it stands
};

SessionEnd run_session(const Request& request, const Host& host);

}  // namespace longhaul::session
