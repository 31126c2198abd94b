#include "report/covariance.hpp"

#include <Eigen/Core>
#include <algorithm>

namespace longhaul::report {
namespace {

constexpr std::size_t kBlockRows = 256;
constexpr std::size_t kPanel = 64;  // columns of the matrix that a worker adds to at a time

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::Index index(std::size_t number) {
  return static_cast<Eigen::Index>(number);
}

}  // namespace

Covariance::Covariance(std::uint32_t dimension, std::size_t workers)
    : workers_(workers),
      shift_(dimension),
      block_(kBlockRows * dimension),
      sums_(dimension),
      products_(std::size_t{dimension} * dimension) {}

void Covariance::add(std::span<const float> vector) {
  if (rows_ == 0) {
    std::copy(vector.begin(), vector.end(), shift_.begin());
  }
  double* row = block_.data() + held_ * shift_.size();
  for (std::size_t i = 0; i < shift_.size(); ++i) {
    row[i] = double{vector[i]} - shift_[i];
    sums_[i] += row[i];
  }
  ++rows_;
  if (++held_ == kBlockRows) {
    take_block();
  }
}

void Covariance::take_block() {
  const std::size_t dimension = shift_.size();
  const Eigen::Map<const RowMajor> block(block_.data(), index(held_), index(dimension));
  Eigen::Map<Eigen::MatrixXd> products(products_.data(), index(dimension), index(dimension));
  workers_.run((dimension + kPanel - 1) / kPanel, [&](std::size_t panel) {
    const Eigen::Index first = index(panel * kPanel);
    const Eigen::Index width = index(std::min(kPanel, dimension - panel * kPanel));
    const Eigen::Index below = index(dimension) - first;
    products.block(first, first, below, width).noalias() +=
        block.rightCols(below).transpose() * block.middleCols(first, width);
  });
  held_ = 0;
}

std::vector<double> Covariance::mean() {
  std::vector<double> mean = shift_;
  for (std::size_t i = 0; i < mean.size() && rows_ > 0; ++i) {
    mean[i] += sums_[i] / static_cast<double>(rows_);
  }
  return mean;
}

std::vector<double> Covariance::matrix() {
  if (held_ > 0) {
    take_block();
  }
  const std::size_t dimension = shift_.size();
  std::vector<double> matrix(dimension * dimension);
  if (rows_ < 2) {
    return matrix;
  }
  const auto rows = static_cast<double>(rows_);
  for (std::size_t column = 0; column < dimension; ++column) {
    for (std::size_t row = column; row < dimension; ++row) {
      const double value =
          (products_[column * dimension + row] - sums_[row] * sums_[column] / rows) / (rows - 1);
      matrix[column * dimension + row] = value;
      matrix[row * dimension + column] = value;
    }
  }
  return matrix;
}

}  // namespace longhaul::report
