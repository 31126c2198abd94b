// Scaled dot-product attention on the CPU, for float32 and bfloat16 states: both products and the
// softmax of a few queries at a time stay in the core's cache.
// Pure function of each (row, head) pair: the bits of a pair depend on its own numbers alone, and
// keys that are masked out leave no trace. Any thread; pairs may be shared out among threads.
#pragma once

#include <cstdint>

namespace longhaul {

// [rows, heads, tokens, width] by strides, in elements; the last stride is 1.
template <typename T>
struct AttentionStates {
  T* data = nullptr;
  std::int64_t row = 0;
  std::int64_t head = 0;
  std::int64_t token = 0;
};

struct Bfloat16 {
  std::uint16_t bits = 0;
};

template <typename T>
struct AttentionTask {
  AttentionStates<const T> query;
  AttentionStates<const T> key;
  AttentionStates<const T> value;
  AttentionStates<T> out;
  // Added to every score of a row: rows x keys, or none.
  const float* bias = nullptr;
  std::int64_t bias_row = 0;  // stride
  std::int64_t heads = 0;
  std::int64_t queries = 0;
  std::int64_t keys = 0;
  std::int64_t width = 0;
  float scale = 1;
};

// Computes pairs [first, last), of rows * heads in order.
void attend(const AttentionTask<float>& task, std::int64_t first, std::int64_t last);
void attend(const AttentionTask<Bfloat16>& task, std::int64_t first, std::int64_t last);

}  // namespace longhaul
