// Rotary positions on the CPU, in one pass: x * cos + (-second half of x, first half) * sin.
// Each number depends on its own token alone. Any thread; tokens may be shared out among threads.
#pragma once

#include "torch/attention_kernel.hpp"

namespace longhaul {

template <typename T>
struct RotationTask {
  AttentionStates<const T> x;
  const T* cos = nullptr;  // tokens x width
  const T* sin = nullptr;
  T* out = nullptr;  // rows x tokens x heads x width
  std::int64_t heads = 0;
  std::int64_t tokens = 0;
  std::int64_t width = 0;  // even
};

// Turns tokens [first, last), of rows * tokens in order. Products and sums are float32, each
// rounded for itself; the result is rounded to T.
void rotate(const RotationTask<float>& task, std::int64_t first, std::int64_t last);
void rotate(const RotationTask<Bfloat16>& task, std::int64_t first, std::int64_t last);

}  // namespace longhaul
