// One session of `longhaul embed`: opens the output, the input and the encoder in the order that
// lets cheap failures come first, runs the pipeline, and leaves run.json behind.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backend.hpp"
#include "base/error.hpp"
#include "config/run_config.hpp"
#include "console.hpp"
#include "recycle.hpp"
#include "usable_threads.hpp"

namespace longhaul::app {

struct SessionInputs {
  config::ResolvedConfig resolved;
  Backend backend;
  Console* console = nullptr;                     // borrowed
  ProgressStyle progress = ProgressStyle::kNone;  // resolved for this terminal
  std::string command;                            // to show how to continue
  std::vector<std::string> arguments;             // of this process
  std::optional<Continuation> continuation;       // from the process before, after recycling
  UsableThreads usable;                           // where --threads says nothing
  std::map<std::string, std::string> environment;
  std::optional<std::string> started_in;  // where a replay has left that directory
};

// Throws Error. Prints the closing lines, and the JSON summary when --json asks for it.
ExitCode run_session(const SessionInputs& inputs);

}  // namespace longhaul::app
