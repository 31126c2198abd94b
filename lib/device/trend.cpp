#include "device/trend.hpp"

#include <algorithm>
#include <span>

namespace longhaul::device {
namespace {

constexpr std::size_t kPairedPoints = 256;

double median(std::vector<double>& values) {
  if (values.empty()) {
    return 0;
  }
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) {
    return *middle;
  }
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

double median_of(std::span<const TrendPoint> points, double TrendPoint::*field) {
  std::vector<double> values;
  values.reserve(points.size());
  for (const TrendPoint& point : points) {
    values.push_back(point.*field);
  }
  return median(values);
}

std::vector<TrendPoint> block_medians(const std::vector<TrendPoint>& points) {
  if (points.size() <= kPairedPoints) {
    return points;
  }
  std::vector<TrendPoint> blocks;
  blocks.reserve(kPairedPoints);
  const std::span<const TrendPoint> all(points);
  for (std::size_t block = 0; block < kPairedPoints; ++block) {
    const std::size_t from = block * points.size() / kPairedPoints;
    const std::size_t to = (block + 1) * points.size() / kPairedPoints;
    const auto part = all.subspan(from, to - from);
    blocks.push_back({median_of(part, &TrendPoint::batches), median_of(part, &TrendPoint::records),
                      median_of(part, &TrendPoint::value)});
  }
  return blocks;
}

double slope(std::span<const TrendPoint> points, double TrendPoint::*along) {
  std::vector<double> slopes;
  slopes.reserve(points.size() * points.size() / 2);
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (std::size_t j = i + 1; j < points.size(); ++j) {
      const double run = points[j].*along - points[i].*along;
      if (run > 0) {
        slopes.push_back((points[j].value - points[i].value) / run);
      }
    }
  }
  return median(slopes);
}

}  // namespace

void TrendSamples::add(const TrendPoint& point) {
  if (seen_++ % stride_ != 0) {
    return;
  }
  if (points_.size() == kCapacity) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < points_.size(); i += 2) {
      points_[kept++] = points_[i];
    }
    points_.resize(kept);
    stride_ *= 2;
    if ((seen_ - 1) % stride_ != 0) {
      return;
    }
  }
  if (points_.capacity() < kCapacity) {
    points_.reserve(kCapacity);  // at once: the watch on memory must not grow itself
  }
  points_.push_back(point);
}

void TrendSamples::clear() {
  points_.clear();
  seen_ = 0;
  stride_ = 1;
}

Trend trend_of(const std::vector<TrendPoint>& points) {
  Trend trend;
  trend.points = points.size();
  if (points.size() < 2) {
    return trend;
  }
  const std::vector<TrendPoint> blocks = block_medians(points);
  const std::span<const TrendPoint> all(blocks);
  const std::size_t half = all.size() / 2;
  trend.per_1000_batches = slope(all, &TrendPoint::batches) * 1e3;
  trend.first_half = slope(all.first(half), &TrendPoint::batches) * 1e3;
  trend.second_half = slope(all.subspan(half), &TrendPoint::batches) * 1e3;
  trend.per_million_records = slope(all, &TrendPoint::records) * 1e6;
  const std::span<const TrendPoint> raw(points);
  const std::size_t decile = std::max<std::size_t>(raw.size() / 10, 1);
  trend.first_decile = median_of(raw.first(decile), &TrendPoint::value);
  trend.last_decile = median_of(raw.last(decile), &TrendPoint::value);
  return trend;
}

}  // namespace longhaul::device
