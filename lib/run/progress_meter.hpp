// How far a run is, told after each batch, and how long it has still to go.
// The encoder's thread; borrows the clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "encode/batch.hpp"
#include "run/forecast.hpp"
#include "run/jobs.hpp"
#include "run/pipeline.hpp"

namespace longhaul::run {

class ProgressMeter {
 public:
  using Clock = std::chrono::steady_clock;

  explicit ProgressMeter(const std::function<Clock::time_point()>& now) : now_(now) {}

  // Time counts from here.
  void start() { lap_ = now_(); }
  // What is computed next.
  void batch(const std::vector<encode::HostBatch>& parts);
  // Once for each job, when it is encoded; counts of rejects and batches, and memory, are not told
  // here.
  RunSnapshot after(const EncodedJob& job);

 private:
  const std::function<Clock::time_point()>& now_;
  Clock::time_point lap_;
  Forecast forecast_;
  std::optional<std::uint64_t> window_;  // index of the one in hand
  std::uint32_t rows_ = 0;
  std::uint32_t width_ = 0;
};

}  // namespace longhaul::run
