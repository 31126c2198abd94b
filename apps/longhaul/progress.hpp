// Shows how far a run is: a bar on a terminal, plain lines elsewhere, JSON for programs.
// One thread. Call update() once before the first batch and then as often as you like: it draws at
// most ten times a second, prints a plain line every 30 s, a JSON line every second.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "config/run_config.hpp"
#include "console.hpp"
#include "metrics_file.hpp"
#include "progress_text.hpp"

namespace longhaul::app {

class ProgressDisplay {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // `style` as resolve_style() gives it; `start` is when the session began, from which the first
  // plain line is timed. `metrics` is told too, whatever the style; null without --metrics-file.
  ProgressDisplay(Console& console, ProgressStyle style, TimePoint start,
                  MetricsFile* metrics = nullptr);

  void update(const ProgressSnapshot& snapshot, TimePoint now);
  // The state at the end, which stays on the screen. Harmless when repeated.
  void finish(ProgressSnapshot snapshot, TimePoint now);

 private:
  void show(const ProgressSnapshot& snapshot);

  Console& console_;
  ProgressStyle style_;
  MetricsFile* metrics_;
  TimePoint last_shown_;
  std::optional<TimePoint> last_metered_;
  PaceMeter meter_;
  std::optional<double> rate_;
  bool finished_ = false;
};

// What --progress auto and -q mean here: a bar on a terminal (TERM says of what kind), lines
// elsewhere, nothing when quiet. Any other style is kept.
ProgressStyle resolve_style(const config::RunConfig& config,
                            const std::map<std::string, std::string>& environment);

// For a command that goes through records: a line every 30 s, "5 of 9 records are merged".
std::function<void(std::uint64_t done, std::uint64_t all)> tell_now_and_then(Console& console,
                                                                             std::string what);

}  // namespace longhaul::app
