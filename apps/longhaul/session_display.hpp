// Shows a session's snapshots in the console. One thread.
#pragma once

#include <chrono>

#include "domain/numbers.hpp"
#include "metrics_file.hpp"
#include "progress.hpp"
#include "session/host.hpp"

namespace longhaul::app {

class SessionDisplay : public session::Display {
 public:
  // `started` is when the session began; `modality` decides whether a batch has a width. `metrics`
  // is told too; null without --metrics-file.
  SessionDisplay(Console& console, ProgressStyle style, Modality modality,
                 std::chrono::steady_clock::time_point started, MetricsFile* metrics);
  void update(const run::RunSnapshot& snapshot) override;
  void finish(const run::RunSnapshot& snapshot) override;

 private:
  const Modality modality_;
  const std::chrono::steady_clock::time_point started_;
  ProgressDisplay display_;
};

}  // namespace longhaul::app
