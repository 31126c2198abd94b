#include "score/nearest.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <numeric>

namespace longhaul::score {

std::vector<std::uint32_t> nearest_of_each(std::span<const double> values, std::size_t rows,
                                           std::size_t count) {
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto all = static_cast<Eigen::Index>(rows);
  const auto width = static_cast<Eigen::Index>(rows == 0 ? 0 : values.size() / rows);
  Matrix unit = Eigen::Map<const Matrix>(values.data(), all, width);
  unit.rowwise().normalize();  // a vector of zeros stays
  std::vector<std::uint32_t> nearest;
  nearest.reserve(rows * count);
  std::vector<std::uint32_t> order(rows);
  constexpr Eigen::Index kBlock = 64;
  for (Eigen::Index begin = 0; begin < all; begin += kBlock) {
    const Eigen::Index height = std::min(kBlock, all - begin);
    const Matrix cosines = unit.middleRows(begin, height) * unit.transpose();
    for (Eigen::Index i = 0; i < height; ++i) {
      const auto own = static_cast<std::uint32_t>(begin + i);
      std::iota(order.begin(), order.end(), 0U);
      std::swap(order[own], order.back());
      const auto end = order.end() - 1;
      std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), end,
                        [&](std::uint32_t left, std::uint32_t right) {
                          const double a = cosines(i, left);
                          const double b = cosines(i, right);
                          return a != b ? a > b : left < right;
                        });
      nearest.insert(nearest.end(), order.begin(),
                     order.begin() + static_cast<std::ptrdiff_t>(count));
    }
  }
  return nearest;
}

double agreement(std::span<const std::uint32_t> a, std::span<const std::uint32_t> b,
                 std::size_t count) {
  std::size_t shared = 0;
  for (std::size_t at = 0; at + count <= a.size(); at += count) {
    const auto others = b.subspan(at, count);
    for (const std::uint32_t one : a.subspan(at, count)) {
      shared += std::find(others.begin(), others.end(), one) != others.end() ? 1U : 0U;
    }
  }
  return a.empty() ? 1 : static_cast<double>(shared) / static_cast<double>(a.size());
}

}  // namespace longhaul::score
