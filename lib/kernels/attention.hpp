// Scaled dot-product attention on the CPU, for float32 and bfloat16 states: both products and the
// softmax of a few queries at a time stay in the core's cache.
// Pure function of each (row, head) pair: the bits of a pair depend on its own numbers and on the
// instruction set alone, and keys that are masked out leave no trace. Any thread; pairs may be
// shared out among threads. Working memory belongs to the thread, and grows to the longest record
// it has seen.
#pragma once

#include <cstdint>

#include "kernels/implementation.hpp"
#include "kernels/states.hpp"

namespace longhaul::kernels {

// T: float or Bfloat16. Its items are the pairs, rows * heads of them in order.
template <typename T>
struct AttentionTask {
  States<const T> query;
  States<const T> key;
  States<const T> value;
  States<T> out;  // overlaps none of the others
  // Added to every score of a row: rows x keys, or none.
  const float* bias = nullptr;
  std::int64_t bias_row = 0;  // stride
  std::int64_t heads = 0;
  std::int64_t queries = 0;
  std::int64_t keys = 0;
  std::int64_t width = 0;
  float scale = 1;
};

template <>
std::span<const Implementation<AttentionTask<float>>> implementations<AttentionTask<float>>();
template <>
std::span<const Implementation<AttentionTask<Bfloat16>>> implementations<AttentionTask<Bfloat16>>();

// Computes pairs [first, last) as `isa` can best, which this machine must have.
template <typename T>
void attend(Isa isa, const AttentionTask<T>& task, std::int64_t first, std::int64_t last) {
  implementation_for<AttentionTask<T>>(isa).run(task, first, last);
}

}  // namespace longhaul::kernels
