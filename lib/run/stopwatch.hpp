// Adds the seconds until its end to a counter, by the clock it is given. Borrows both; one thread.
#pragma once

#include <chrono>
#include <functional>

namespace longhaul::run {

class Stopwatch {
 public:
  using Clock = std::chrono::steady_clock;

  Stopwatch(const std::function<Clock::time_point()>& now, double& counter)
      : now_(now), counter_(counter), start_(now()) {}
  ~Stopwatch() { counter_ += std::chrono::duration<double>(now_() - start_).count(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  const std::function<Clock::time_point()>& now_;
  double& counter_;
  const Clock::time_point start_;
};

}  // namespace longhaul::run
