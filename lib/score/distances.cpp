#include "score/distances.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <bit>
#include <cmath>

namespace longhaul::score {
namespace {

constexpr unsigned kShift = 52 - 10;
constexpr double kLeast = 0x1p-60;

std::size_t bin_of(double distance) {
  return (std::bit_cast<std::uint64_t>(distance) - std::bit_cast<std::uint64_t>(kLeast)) >> kShift;
}

double middle_of(std::size_t bin) {
  const std::uint64_t begin =
      std::bit_cast<std::uint64_t>(kLeast) + (static_cast<std::uint64_t>(bin) << kShift);
  return std::bit_cast<double>(begin + (std::uint64_t{1} << (kShift - 1)));
}

}  // namespace

std::optional<double> cosine_distance(std::span<const double> a, std::span<const double> b,
                                      double least_length_a, double least_length_b) {
  using Values = Eigen::Map<const Eigen::ArrayXd>;
  const Values left(a.data(), static_cast<Eigen::Index>(a.size()));
  const Values right(b.data(), static_cast<Eigen::Index>(b.size()));
  const double length_a = std::sqrt(left.square().sum());
  const double length_b = std::sqrt(right.square().sum());
  if (!(length_a > least_length_a) || !(length_b > least_length_b)) {
    return std::nullopt;
  }
  return (left / length_a - right / length_b).square().sum() / 2;
}

void Distances::add(double distance) {
  ++count_;
  greatest_ = std::max(greatest_, distance);
  if (distance < kLeast) {
    ++zeros_;
    return;
  }
  const std::size_t bin = bin_of(std::min(distance, 2.0));
  if (bin >= bins_.size()) {
    bins_.resize(bin_of(2.0) + 1);
  }
  ++bins_[bin];
}

double Distances::at(double quantile) const {
  const auto rank =
      static_cast<std::uint64_t>(std::clamp(std::ceil(quantile * static_cast<double>(count_)), 1.0,
                                            std::max(1.0, static_cast<double>(count_))));
  std::uint64_t below = zeros_;
  if (rank <= below) {
    return 0;
  }
  for (std::size_t bin = 0; bin < bins_.size(); ++bin) {
    below += bins_[bin];
    if (rank <= below) {
      return std::min(middle_of(bin), greatest_);
    }
  }
  return greatest_;
}

}  // namespace longhaul::score
