// --metrics-file: a file that says in Prometheus' text format how far the run is, replaced every
// few seconds, so that a reader always sees a whole one. One thread, the session's. The first write
// throws Error(kIo); a later one that fails is warned about once, and the run goes on.
#pragma once

#include <chrono>
#include <string>

#include "base/files.hpp"
#include "base/log.hpp"
#include "metrics_text.hpp"

namespace longhaul::app {

class MetricsFile {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  MetricsFile(Files& files, Log& log, std::string path, std::string output);

  void update(const ProgressSnapshot& snapshot, TimePoint now);
  // The run ended: the last numbers stay, with its exit code.
  void end(ExitCode code);

 private:
  std::string text(std::optional<ExitCode> code) const;
  void write(std::optional<ExitCode> code);

  Files& files_;
  Log& log_;
  std::string path_;
  std::string output_;
  std::optional<ProgressSnapshot> snapshot_;
  std::optional<double> rate_;
  PaceMeter meter_;
  TimePoint written_;
  bool warned_ = false;
};

}  // namespace longhaul::app
