// Layer norm on the CPU: each row less its mean, over its standard deviation, times a weight, plus
// a bias. Sums are float32. A row's bits depend on the row alone. Any thread; rows may be shared
// out among threads.
#pragma once

#include <cstdint>

#include "kernels/implementation.hpp"
#include "kernels/states.hpp"

namespace longhaul::kernels {

// Its items are the rows.
struct NormTask {
  const Bfloat16* x = nullptr;    // rows x width
  const float* weight = nullptr;  // width
  const float* bias = nullptr;    // width
  Bfloat16* out = nullptr;        // rows x width; may be x
  std::int64_t width = 0;
  float epsilon = 0;  // added to the variance
};

template <>
std::span<const Implementation<NormTask>> implementations<NormTask>();

}  // namespace longhaul::kernels
