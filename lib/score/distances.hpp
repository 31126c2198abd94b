// How far pairs of vectors are apart, over any number of pairs, in memory that does not grow:
// 1 - cosine, its greatest exactly and its quantiles to one part in 2,000. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace longhaul::score {

// A vector less the mean that is shorter than this share of the vector is rounding, not direction.
constexpr double kRounding = 1e-12;

// 1 - cosine of two vectors of one length, without the cancellation of 1 - x: of equal ones it is
// 0, of nearly equal ones it has all its digits. Nothing where a vector has no direction: its
// length is at most `least_length`.
std::optional<double> cosine_distance(std::span<const double> a, std::span<const double> b,
                                      double least_length_a = 0, double least_length_b = 0);

class Distances {
 public:
  void add(double distance);

  std::uint64_t count() const { return count_; }
  double greatest() const { return greatest_; }
  // The distance that a share of `quantile` of all does not exceed (the nearest rank). 0 of none.
  double at(double quantile) const;

 private:
  // A bin for each value of a double's exponent and ten more bits, from 2^-60 to 2.
  std::vector<std::uint64_t> bins_;
  std::uint64_t zeros_ = 0;  // and what is below the first bin
  std::uint64_t count_ = 0;
  double greatest_ = 0;
};

}  // namespace longhaul::score
