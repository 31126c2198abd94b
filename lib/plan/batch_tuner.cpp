#include "plan/batch_tuner.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace longhaul {
namespace {

// The first batch of a size pays for its shapes; the best of a few is its speed.
constexpr std::uint32_t kBatchesPerCandidate = 4;
constexpr double kFullEnough = 0.75;
// In a row: then something else limits the batches (their time, memory), and larger ones too.
constexpr std::uint32_t kUnfullBatches = 8;
// A smaller batch within this of the best is preferred: it needs less memory and stops sooner.
constexpr double kAsGood = 0.98;

}  // namespace

BatchTuner::BatchTuner(std::vector<std::uint64_t> candidates) {
  for (const std::uint64_t tokens : candidates) {
    trials_.push_back({tokens, 0, 0});
  }
  settled_ = trials_.size() < 2;
  target_ = trials_.empty() ? 0 : trials_.front().tokens;
}

void BatchTuner::measured(std::uint64_t target, std::uint64_t tokens, double seconds) {
  const bool full = static_cast<double>(tokens) >= kFullEnough * static_cast<double>(target);
  if (settled_ || seconds <= 0) {
    return;
  }
  if (!full) {
    if (target == target_ && ++unfull_ >= kUnfullBatches && current_ > 0) {
      settle();
    }
    return;
  }
  unfull_ = 0;
  for (Trial& trial : trials_) {
    if (trial.tokens == target) {
      ++trial.batches;
      trial.best_rate = std::max(trial.best_rate, static_cast<double>(tokens) / seconds);
    }
  }
  advance();
}

void BatchTuner::advance() {
  if (trials_[current_].batches < kBatchesPerCandidate) {
    return;
  }
  if (++current_ < trials_.size()) {
    target_ = trials_[current_].tokens;
    return;
  }
  settle();
}

void BatchTuner::settle() {
  std::erase_if(trials_, [](const Trial& trial) { return trial.batches < kBatchesPerCandidate; });
  const double best =
      std::max_element(trials_.begin(), trials_.end(), [](const Trial& a, const Trial& b) {
        return a.best_rate < b.best_rate;
      })->best_rate;
  target_ = std::find_if(trials_.begin(), trials_.end(), [&](const Trial& trial) {
              return trial.best_rate >= kAsGood * best;
            })->tokens;
  settled_ = true;
}

std::string BatchTuner::summary() const {
  std::vector<std::string> rates;
  for (const Trial& trial : trials_) {
    rates.push_back(format_count(static_cast<std::uint64_t>(trial.best_rate)) + " at " +
                    format_count(trial.tokens));
  }
  return format_count(target_) + " padded tokens (tokens/s: " + join(rates, ", ") + ")";
}

}  // namespace longhaul
