// `longhaul embed --processes N`, or on several devices: starts a process for each share of the
// work, shows them as one run, and merges what they made. No part of the encoder is loaded here.
// Main thread, before any other. Throws Error.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "command.hpp"
#include "config/run_config.hpp"
#include "launch/process_plan.hpp"
#include "metrics_file.hpp"

namespace longhaul::app {

// Of a single share nothing is started: the caller embeds with it.
std::vector<launch::ProcessShare> plan_processes(const config::RunConfig& config, Context& context);

// How it ended; where it was stopped, or a process failed, with the line that says so.
struct ProcessesEnd {
  bool complete = false;  // was so before: an ordinary session has nothing to do, and says so
  std::string failure;
  ExitCode code = ExitCode::kDone;
};

// `metrics` is told too; null without --metrics-file.
ProcessesEnd embed_in_processes(const config::ResolvedConfig& resolved,
                                const std::vector<launch::ProcessShare>& shares, Context& context,
                                const std::optional<std::string>& started_in, MetricsFile* metrics);

}  // namespace longhaul::app
