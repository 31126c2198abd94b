// A bounded record of one counter over a run, and its robust trend.
// Values; one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace longhaul::device {

struct TrendPoint {
  double batches = 0;
  double records = 0;
  double value = 0;
};

// Keeps every stride-th point; when full, drops every other one and doubles the stride.
class TrendSamples {
 public:
  void add(const TrendPoint& point);
  void clear();
  const std::vector<TrendPoint>& points() const { return points_; }
  static constexpr std::size_t kCapacity = 2048;

 private:
  std::vector<TrendPoint> points_;
  std::uint64_t seen_ = 0;
  std::uint64_t stride_ = 1;
};

// Theil-Sen slopes: the median of the slopes between all pairs of points. Up to 256 points enter;
// of more, the medians of equal blocks do.
struct Trend {
  std::size_t points = 0;
  double per_1000_batches = 0;
  double first_half = 0;   // per 1,000 batches
  double second_half = 0;  // per 1,000 batches
  double per_million_records = 0;
  double first_decile = 0;  // medians of the values there
  double last_decile = 0;
  double rise() const { return last_decile - first_decile; }
};

Trend trend_of(const std::vector<TrendPoint>& points);

}  // namespace longhaul::device
