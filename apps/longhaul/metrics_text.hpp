// A run's state in Prometheus' text format, as node_exporter's textfile collector reads it.
// A pure function; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "progress_text.hpp"

namespace longhaul::app {

// How every such text begins.
inline constexpr std::string_view kMetricsBeginning = "# HELP longhaul_";

struct MetricsState {
  std::string output;                 // label of every sample
  std::optional<ExitCode> code = {};  // of a run that ended; else it is running
  double time = 0;                    // seconds since 1970
};

// Without a snapshot, which a run that has nothing to do never gives, only whether it runs.
std::string metrics_text(const MetricsState& state, const std::optional<ProgressSnapshot>& snapshot,
                         std::optional<double> rate);

}  // namespace longhaul::app
