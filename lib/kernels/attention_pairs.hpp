// Attention over pairs (attention.hpp), written once for every width of registers: W floats in a
// register, R queries at a time, C registers of columns at a time.
// Included by the files that compile it for their instruction set.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/attention.hpp"
#include "kernels/lanes.hpp"

namespace longhaul::kernels {

// out[r][0 .. W*C) = sum over k of left[r * left_stride + k] * right[k * right_stride + ...]
template <int W, int R, int C>
LONGHAUL_INLINE void product(const float* left, std::int64_t left_stride, const float* right,
                             std::int64_t right_stride, std::int64_t depth, float* out,
                             std::int64_t out_stride) {
  using Floats = typename Lanes<W>::Floats;
  Floats sums[std::size_t{R}][std::size_t{C}];
  for (auto& row : sums) {
    for (Floats& sum : row) {
      sum = Floats{};
    }
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    Floats columns[std::size_t{C}];
    for (int c = 0; c < C; ++c) {
      std::memcpy(&columns[c], right + k * right_stride + c * W, sizeof(Floats));
    }
    for (int r = 0; r < R; ++r) {
      const float factor = left[r * left_stride + k];
      for (int c = 0; c < C; ++c) {
        sums[r][c] += columns[c] * factor;
      }
    }
  }
  for (int r = 0; r < R; ++r) {
    std::memcpy(out + r * out_stride, sums[r], sizeof sums[r]);
  }
}

// The same over any number of columns that is a multiple of W.
template <int W, int R, int C>
LONGHAUL_INLINE void wide_product(const float* left, std::int64_t left_stride, const float* right,
                                  std::int64_t right_stride, std::int64_t columns,
                                  std::int64_t depth, float* out, std::int64_t out_stride) {
  std::int64_t column = 0;
  for (; column + W * C <= columns; column += W * C) {
    product<W, R, C>(left, left_stride, right + column, right_stride, depth, out + column,
                     out_stride);
  }
  for (; column < columns; column += W) {
    product<W, R, 1>(left, left_stride, right + column, right_stride, depth, out + column,
                     out_stride);
  }
}

// Working memory of one thread, grown to the longest record it has seen.
struct AttentionWorkspace {
  std::vector<float> keys;     // width x columns: transposed
  std::vector<float> values;   // keys x value_columns
  std::vector<float> bias;     // columns
  std::vector<float> queries;  // R x width
  std::vector<float> scores;   // R x columns
  std::vector<float> result;   // R x value_columns
};

// to[d * columns + j] = from[j * stride + d], for `tokens` j and `width` d.
template <typename T>
using Transpose = void (*)(const T* from, std::int64_t stride, std::int64_t tokens,
                           std::int64_t width, float* to, std::int64_t columns);

template <typename T>
void transpose_any(const T* from, std::int64_t stride, std::int64_t tokens, std::int64_t width,
                   float* to, std::int64_t columns) {
  for (std::int64_t j = 0; j < tokens; ++j) {
    for (std::int64_t d = 0; d < width; ++d) {
      to[d * columns + j] = to_float(from[j * stride + d]);
    }
  }
}

template <typename T, int W, int R, int C>
LONGHAUL_INLINE void attend_pairs(const AttentionTask<T>& task, std::int64_t first,
                                  std::int64_t last, AttentionWorkspace& work,
                                  Transpose<T> transpose) {
  const std::int64_t columns = rounded_up(task.keys, W);
  const std::int64_t value_columns = rounded_up(task.width, W);
  work.keys.assign(static_cast<std::size_t>(task.width * columns), 0.0F);
  work.values.assign(static_cast<std::size_t>(task.keys * value_columns), 0.0F);
  work.bias.assign(static_cast<std::size_t>(columns), kLowest);
  work.queries.resize(static_cast<std::size_t>(task.width * R));
  work.scores.resize(static_cast<std::size_t>(R * columns));
  work.result.resize(static_cast<std::size_t>(R * value_columns));
  float* keys = work.keys.data();
  float* values = work.values.data();
  float* bias = work.bias.data();
  float* queries = work.queries.data();
  float* scores = work.scores.data();
  float* result = work.result.data();
  for (std::int64_t pair = first; pair < last; ++pair) {
    const std::int64_t row = pair / task.heads;
    const std::int64_t head = pair % task.heads;
    const T* key = task.key.data + row * task.key.row + head * task.key.head;
    const T* value = task.value.data + row * task.value.row + head * task.value.head;
    const T* query = task.query.data + row * task.query.row + head * task.query.head;
    T* out = task.out.data + row * task.out.row + head * task.out.head;
    transpose(key, task.key.token, task.keys, task.width, keys, columns);
    for (std::int64_t j = 0; j < task.keys; ++j) {
      bias[j] = task.bias == nullptr ? 0.0F : task.bias[row * task.bias_row + j];
    }
    for (std::int64_t j = 0; j < task.keys; ++j) {
      for (std::int64_t d = 0; d < task.width; ++d) {
        values[j * value_columns + d] = to_float(value[j * task.value.token + d]);
      }
    }
    for (std::int64_t i = 0; i < task.queries; i += R) {
      const std::int64_t count = task.queries - i < R ? task.queries - i : R;
      for (std::int64_t r = 0; r < count; ++r) {
        for (std::int64_t d = 0; d < task.width; ++d) {
          queries[r * task.width + d] =
              to_float(query[(i + r) * task.query.token + d]) * task.scale;
        }
      }
      std::fill(queries + count * task.width, queries + R * task.width, 0.0F);
      wide_product<W, R, C>(queries, task.width, keys, columns, columns, task.width, scores,
                            columns);
      float sums[std::size_t{R}];
      for (int r = 0; r < R; ++r) {
        sums[r] = soften<W>(scores + r * columns, bias, columns);
      }
      wide_product<W, R, C>(scores, columns, values, value_columns, value_columns, task.keys,
                            result, value_columns);
      for (std::int64_t r = 0; r < count; ++r) {
        const float share = 1.0F / sums[r];
        for (std::int64_t d = 0; d < task.width; ++d) {
          store(result[r * value_columns + d] * share, out[(i + r) * task.out.token + d]);
        }
      }
    }
  }
}

}  // namespace longhaul::kernels
