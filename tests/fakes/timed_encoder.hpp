// A fake encoder that takes time by a clock that it alone moves: so many seconds for a padded token
// of each width, and what else is asked for.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <span>
#include <vector>

#include "fakes/fake_encoder.hpp"

namespace longhaul::fakes {

struct FakeClock {
  std::atomic<double> seconds = 0;

  void pass(double some) { seconds = seconds + some; }
  std::chrono::steady_clock::time_point now() const {
    using Clock = std::chrono::steady_clock;
    return Clock::time_point() +
           std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }
};

class TimedEncoder : public FakeEncoder {
 public:
  TimedEncoder(const FakeEncoderSettings& settings, FakeClock& clock,
               std::function<double(std::uint32_t width)> token_seconds)
      : FakeEncoder(settings), clock_(clock), token_seconds_(std::move(token_seconds)) {}

  using FakeEncoder::encode;
  std::vector<encode::EncodedBatch> encode(std::span<const encode::HostBatch> parts) override {
    std::vector<encode::EncodedBatch> encoded = FakeEncoder::encode(parts);
    for (const encode::HostBatch& part : parts) {
      clock_.pass(part.rows * part.width * token_seconds_(part.width));
    }
    if (const auto more = more_seconds.find(++calls_); more != more_seconds.end()) {
      clock_.pass(more->second);
    }
    return encoded;
  }

  std::map<std::uint64_t, double> more_seconds;  // by the number of the call, from 1

 private:
  FakeClock& clock_;
  const std::function<double(std::uint32_t width)> token_seconds_;
  std::uint64_t calls_ = 0;
};

}  // namespace longhaul::fakes
