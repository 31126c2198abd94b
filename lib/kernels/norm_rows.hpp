// Layer norm over rows (norm.hpp), for the files that compile it for their instruction set.
#pragma once

#include <cmath>
#include <vector>

#include "kernels/lanes.hpp"
#include "kernels/norm.hpp"

namespace longhaul::kernels {

// The sum of the first `width` numbers, or of the squares of what they are more than `less`:
// W sums side by side, then those one after the other.
template <int W, bool kSquares>
LONGHAUL_INLINE float sum_of(const float* numbers, std::int64_t width, float less) {
  float sums[std::size_t{W}] = {};
  std::int64_t i = 0;
  for (; i + W <= width; i += W) {
    for (int lane = 0; lane < W; ++lane) {
      const float number = numbers[i + lane] - less;
      sums[lane] += kSquares ? number * number : number;
    }
  }
  for (; i < width; ++i) {
    const float number = numbers[i] - less;
    sums[i % W] += kSquares ? number * number : number;
  }
  float sum = 0;
  for (const float one : sums) {
    sum += one;
  }
  return sum;
}

template <int W>
LONGHAUL_INLINE void norm_rows(const NormTask& task, std::int64_t first, std::int64_t last,
                               std::vector<float>& row) {
  row.resize(static_cast<std::size_t>(task.width));
  float* numbers = row.data();
  const auto width = static_cast<float>(task.width);
  for (std::int64_t r = first; r < last; ++r) {
    const Bfloat16* x = task.x + r * task.width;
    Bfloat16* out = task.out + r * task.width;
    for (std::int64_t i = 0; i < task.width; ++i) {
      numbers[i] = to_float(x[i]);
    }
    const float mean = sum_of<W, false>(numbers, task.width, 0) / width;
    const float variance = sum_of<W, true>(numbers, task.width, mean) / width;
    const float scale = 1.0F / std::sqrt(variance + task.epsilon);
    for (std::int64_t i = 0; i < task.width; ++i) {
      store((numbers[i] - mean) * scale * task.weight[i] + task.bias[i], out[i]);
    }
  }
}

}  // namespace longhaul::kernels
