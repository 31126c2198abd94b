#include "plan/workload.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace longhaul::plan {
namespace {

constexpr double kKept = 0.9;           // of what is known of a width, with each batch of it
constexpr double kStoppedSeconds = 5;   // a batch is cut to take 2 s
constexpr double kStoppedTimes = 5;     // of what was expected
constexpr double kDoubtKept = 0.98;     // with each batch
constexpr double kMostDoubts = 2;       // then it is how the machine is
constexpr double kFarApart = 1.5;       // widths whose times tell a slope from noise
constexpr double kLeastDoublings = -5;  // of kQuadraticWidth
constexpr double kMostDoublings = 3;
constexpr double kHeld = 1e-4;          // against a doubling: as much as 1 % of noise
constexpr double kLeastSeconds = 1e-9;  // a clock may see nothing of a small batch

// Of a token, in proportion, where attention takes as much as the rest at `quadratic_width`.
double shape_of(std::uint32_t width, double quadratic_width) {
  return 1 + width / quadratic_width;
}

}  // namespace

void Workload::add(const Workload& other) {
  for (const auto& [width, count] : other.tokens) {
    tokens[width] += count;
  }
}

void Workload::take(const Workload& done) {
  for (const auto& [width, count] : done.tokens) {
    if (const auto found = tokens.find(width); found != tokens.end()) {
      found->second -= std::min(found->second, count);
    }
  }
}

std::uint64_t Workload::total() const {
  std::uint64_t sum = 0;
  for (const auto& [width, count] : tokens) {
    sum += count;
  }
  return sum;
}

Workload workload_of(std::span<const Slot> slots, const RowsPolicy& policy) {
  constexpr double kNoLimit = std::numeric_limits<double>::infinity();
  Workload work;
  for (std::size_t at = 0; at < slots.size();) {
    // One part at a time: what else is in hand changes no part.
    const Part part = cut_batch(slots, at, policy,
                                {.rows = 1, .tokens = {}, .budget = kNoLimit, .work = kNoLimit})
                          .front();
    work.add(part.width, part.rows);
    at += part.count;
  }
  return work;
}

bool TokenTimes::believes(double seconds, double expected) {
  doubts_ *= kDoubtKept;
  if (seconds <= kStoppedSeconds || seconds <= kStoppedTimes * expected) {
    doubted_ = false;
    return true;
  }
  doubts_ += 1;
  doubted_ = !doubted_ && doubts_ < kMostDoubts;
  return !doubted_;
}

bool TokenTimes::learn(const Workload& batch, double seconds) {
  if (batch.total() == 0) {
    return true;
  }
  if (const std::optional<double> expected = seconds_of(batch)) {
    if (!believes(seconds, *expected)) {
      return false;
    }
    if (*expected > kStoppedSeconds && *expected > kStoppedTimes * seconds) {
      known_.clear();
      quadratic_width_ = kQuadraticWidth;
    }
  }
  // Parts of several widths were computed side by side: each has its share by what is known.
  const auto weight = [&](std::uint32_t width, std::uint64_t tokens) {
    return static_cast<double>(tokens) *
           (known() ? per_token(width) : shape_of(width, kQuadraticWidth));
  };
  std::map<std::uint32_t, double> weights;
  double whole = 0;
  for (const auto& [width, tokens] : batch.tokens) {
    whole += weights[width] = weight(width, tokens);
  }
  for (const auto& [width, tokens] : batch.tokens) {
    if (tokens == 0) {
      continue;
    }
    Sum& sum = known_[width];
    sum.seconds = sum.seconds * kKept + std::max(seconds, kLeastSeconds) * weights[width] / whole;
    sum.tokens = sum.tokens * kKept + static_cast<double>(tokens);
  }
  quadratic_width_ = fitted_width();
  return true;
}

// The least squares of logarithms, held near the usual value as far as noise would explain it.
double TokenTimes::fitted_width() const {
  if (known_.rbegin()->first < kFarApart * known_.begin()->first) {
    return kQuadraticWidth;
  }
  struct Timed {
    std::uint32_t width;
    double weight;
    double logarithm;  // of the seconds of a token
  };
  std::vector<Timed> timed;
  double tokens = 0;
  for (const auto& [width, sum] : known_) {
    timed.push_back({width, sum.tokens, std::log(sum.seconds / sum.tokens)});
    tokens += sum.tokens;
  }
  double best = kQuadraticWidth;
  double least = std::numeric_limits<double>::infinity();
  for (double doublings = kLeastDoublings; doublings <= kMostDoublings; doublings += 0.5) {
    const double candidate = kQuadraticWidth * std::exp2(doublings);
    double mean = 0;
    double squares = 0;
    for (const Timed& of : timed) {
      const double off = of.logarithm - std::log(shape_of(of.width, candidate));
      mean += of.weight / tokens * off;
      squares += of.weight / tokens * off * off;
    }
    const double cost = squares - mean * mean + kHeld * doublings * doublings;
    if (cost < least) {
      least = cost;
      best = candidate;
    }
  }
  return best;
}

double TokenTimes::per_token(std::uint32_t width) const {
  const auto of = [](const auto& known) { return known->second.seconds / known->second.tokens; };
  const auto above = known_.lower_bound(width);
  if (above != known_.end() && above->first == width) {
    return of(above);
  }
  if (above == known_.end() || above == known_.begin()) {
    const auto nearest = above == known_.end() ? std::prev(above) : above;
    return of(nearest) * shape_of(width, quadratic_width_) /
           shape_of(nearest->first, quadratic_width_);
  }
  const auto below = std::prev(above);
  const double share =
      static_cast<double>(width - below->first) / static_cast<double>(above->first - below->first);
  return of(below) + (of(above) - of(below)) * share;
}

std::optional<double> TokenTimes::seconds_of(const Workload& work) const {
  if (!known()) {
    return std::nullopt;
  }
  double seconds = 0;
  for (const auto& [width, tokens] : work.tokens) {
    seconds += tokens > 0 ? static_cast<double>(tokens) * per_token(width) : 0;
  }
  return seconds;
}

}  // namespace longhaul::plan
