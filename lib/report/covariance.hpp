// The covariance of many vectors, added one by one, in float64. Memory: one matrix of the
// dimension, and a block of rows; it does not grow with the rows. What comes out does not depend on
// the number of workers. One thread calls; the workers share out the matrix products.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/worker_pool.hpp"

namespace longhaul::report {

class Covariance {
 public:
  Covariance(std::uint32_t dimension, std::size_t workers);

  // `dimension` finite numbers.
  void add(std::span<const float> vector);
  std::uint64_t rows() const { return rows_; }
  std::uint32_t dimension() const { return static_cast<std::uint32_t>(shift_.size()); }

  // Of all that was added; zeros where nothing was.
  std::vector<double> mean();
  // dimension x dimension, symmetric, divided by rows - 1; zeros for fewer than two rows.
  std::vector<double> matrix();

 private:
  void take_block();

  WorkerPool workers_;
  std::vector<double> shift_;     // the first row: sums of differences from it lose no digits
  std::vector<double> block_;     // rows in hand, less shift_, row after row
  std::vector<double> sums_;      // of the rows, less shift_
  std::vector<double> products_;  // lower triangle, column after column
  std::size_t held_ = 0;          // rows in block_
  std::uint64_t rows_ = 0;
};

}  // namespace longhaul::report
