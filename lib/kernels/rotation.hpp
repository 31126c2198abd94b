// Rotary positions on the CPU, in one pass: x * cos + (-second half of x, first half) * sin.
// Each number depends on its own token alone, and its bits are the same on every instruction set:
// products and sums are float32, each rounded for itself; the result is rounded to T.
// Any thread; tokens may be shared out among threads.
#pragma once

#include <cstdint>

#include "kernels/implementation.hpp"
#include "kernels/states.hpp"

namespace longhaul::kernels {

// T: float or Bfloat16. Its items are the tokens, rows * tokens of them in order.
template <typename T>
struct RotationTask {
  States<const T> x;
  const T* cos = nullptr;  // tokens x width
  const T* sin = nullptr;
  T* out = nullptr;  // rows x tokens x heads x width; overlaps none of the others
  std::int64_t heads = 0;
  std::int64_t tokens = 0;
  std::int64_t width = 0;  // even
};

template <>
std::span<const Implementation<RotationTask<float>>> implementations<RotationTask<float>>();
template <>
std::span<const Implementation<RotationTask<Bfloat16>>> implementations<RotationTask<Bfloat16>>();

// Turns tokens [first, last) as `isa` can best, which this machine must have.
template <typename T>
void rotate(Isa isa, const RotationTask<T>& task, std::int64_t first, std::int64_t last) {
  implementation_for<RotationTask<T>>(isa).run(task, first, last);
}

}  // namespace longhaul::kernels
