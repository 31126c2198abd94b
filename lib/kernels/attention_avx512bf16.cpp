#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/forms.hpp"
#include "kernels/lanes.hpp"
#include "kernels/pairs_avx512bf16.hpp"
#include "kernels/transpose_avx512.hpp"

namespace longhaul::kernels {
namespace {

constexpr std::int64_t kQueries = 8;  // at a time

// Working memory of one thread, grown to the longest record it has seen. A pair is two bfloat16
// numbers that are multiplied and added together.
struct Workspace {
  std::vector<std::uint32_t> keys;    // pairs of the width x columns: transposed
  std::vector<std::uint32_t> values;  // pairs of keys x value_columns
  std::vector<float> bias;            // columns
  std::vector<float> scores;          // kQueries x columns
  std::vector<Bfloat16> weights;      // kQueries x columns
  std::vector<float> result;          // kQueries x value_columns
};

// to[p * columns + j] = pair p of token j; 0 for the columns beyond `tokens`.
[[LONGHAUL_BF16]] void transpose_pairs(const Bfloat16* from, std::int64_t stride,
                                       std::int64_t tokens, std::int64_t pairs, std::uint32_t* to,
                                       std::int64_t columns) {
  for (std::int64_t j = 0; j < tokens; j += kLanes) {
    for (std::int64_t p = 0; p < pairs; p += kLanes) {
      const __mmask16 some = first_lanes(pairs - p);
      __m512 rows[kLanes];
      for (std::int64_t r = 0; r < kLanes; ++r) {
        rows[r] = j + r < tokens ? _mm512_maskz_loadu_ps(some, from + (j + r) * stride + 2 * p)
                                 : _mm512_setzero_ps();
      }
      transpose_16(rows);
      for (std::int64_t r = 0; r < std::min(kLanes, pairs - p); ++r) {
        _mm512_storeu_ps(to + (p + r) * columns + j, rows[r]);
      }
    }
  }
}

// to[p * columns + d] = element d of token 2p, and of the one after it or 0.
[[LONGHAUL_BF16]] void pair_tokens(const Bfloat16* from, std::int64_t stride, std::int64_t tokens,
                                   std::int64_t width, std::uint32_t* to, std::int64_t columns) {
  for (std::int64_t p = 0; 2 * p < tokens; ++p) {
    const Bfloat16* even = from + 2 * p * stride;
    for (std::int64_t d = 0; d < width; d += kLanes) {
      const __mmask16 some = first_lanes(width - d);
      const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(some, even + d));
      __m512i high = _mm512_setzero_si512();
      if (2 * p + 1 < tokens) {
        high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(some, even + stride + d));
      }
      _mm512_storeu_si512(to + p * columns + d, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
  }
}

// out[r][0 .. 16C) = factor * sum over p of left[r] pair p times right[p * right_stride + ...].
template <int C>
LONGHAUL_BF16_INLINE void product(const Bfloat16* const* left, const std::uint32_t* right,
                                  std::int64_t right_stride, std::int64_t pairs, float factor,
                                  float* out, std::int64_t out_stride) {
  __m512 sums[kQueries][std::size_t{C}];
  for (auto& row : sums) {
    for (__m512& sum : row) {
      sum = _mm512_setzero_ps();
    }
  }
  for (std::int64_t p = 0; p < pairs; ++p) {
    __m512bh columns[std::size_t{C}];
    for (int c = 0; c < C; ++c) {
      columns[c] = as_pairs(_mm512_loadu_si512(right + p * right_stride + c * kLanes));
    }
    for (std::int64_t r = 0; r < kQueries; ++r) {
      std::int32_t pair = 0;
      std::memcpy(&pair, left[r] + 2 * p, sizeof pair);
      const __m512bh pairs_of_row = as_pairs(_mm512_set1_epi32(pair));
      for (int c = 0; c < C; ++c) {
        sums[r][c] = _mm512_dpbf16_ps(sums[r][c], pairs_of_row, columns[c]);
      }
    }
  }
  for (std::int64_t r = 0; r < kQueries; ++r) {
    for (int c = 0; c < C; ++c) {
      _mm512_storeu_ps(out + r * out_stride + c * kLanes,
                       _mm512_mul_ps(sums[r][c], _mm512_set1_ps(factor)));
    }
  }
}

// The same over any number of columns that is a multiple of 16.
LONGHAUL_BF16_INLINE void wide_product(const Bfloat16* const* left, const std::uint32_t* right,
                                       std::int64_t columns, std::int64_t pairs, float factor,
                                       float* out) {
  std::int64_t column = 0;
  for (; column + 2 * kLanes <= columns; column += 2 * kLanes) {
    product<2>(left, right + column, columns, pairs, factor, out + column, columns);
  }
  if (column < columns) {
    product<1>(left, right + column, columns, pairs, factor, out + column, columns);
  }
}

LONGHAUL_BF16_INLINE void round_weights(const float* scores, std::int64_t columns,
                                        Bfloat16* weights) {
  for (std::int64_t j = 0; j < columns; j += kLanes) {
    const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_loadu_ps(scores + j));
    _mm256_storeu_epi16(weights + j, as_bits(rounded));
  }
}

LONGHAUL_BF16_INLINE void store_result(const float* result, float sum, std::int64_t width,
                                       Bfloat16* out) {
  const __m512 share = _mm512_set1_ps(1.0F / sum);
  for (std::int64_t d = 0; d < width; d += kLanes) {
    const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_mul_ps(_mm512_loadu_ps(result + d), share));
    _mm256_mask_storeu_epi16(out + d, first_lanes(width - d), as_bits(rounded));
  }
}

[[LONGHAUL_BF16]] void attend_pairs(const AttentionTask<Bfloat16>& task, std::int64_t first,
                                    std::int64_t last, Workspace& work) {
  const std::int64_t columns = rounded_up(task.keys, kLanes);
  const std::int64_t value_columns = rounded_up(task.width, kLanes);
  const std::int64_t width_pairs = task.width / 2;
  const std::int64_t key_pairs = (task.keys + 1) / 2;
  work.keys.resize(static_cast<std::size_t>(width_pairs * columns));
  work.values.resize(static_cast<std::size_t>(key_pairs * value_columns));
  work.bias.assign(static_cast<std::size_t>(columns), kLowest);
  work.scores.resize(static_cast<std::size_t>(kQueries * columns));
  work.weights.resize(static_cast<std::size_t>(kQueries * columns));
  work.result.resize(static_cast<std::size_t>(kQueries * value_columns));
  float* scores = work.scores.data();
  float* result = work.result.data();
  const Bfloat16* weights_of[kQueries];
  for (std::int64_t r = 0; r < kQueries; ++r) {
    weights_of[r] = work.weights.data() + r * columns;
  }
  for (std::int64_t pair = first; pair < last; ++pair) {
    const std::int64_t row = pair / task.heads;
    const std::int64_t head = pair % task.heads;
    const Bfloat16* query = task.query.data + row * task.query.row + head * task.query.head;
    Bfloat16* out = task.out.data + row * task.out.row + head * task.out.head;
    transpose_pairs(task.key.data + row * task.key.row + head * task.key.head, task.key.token,
                    task.keys, width_pairs, work.keys.data(), columns);
    pair_tokens(task.value.data + row * task.value.row + head * task.value.head, task.value.token,
                task.keys, task.width, work.values.data(), value_columns);
    for (std::int64_t j = 0; j < task.keys; ++j) {
      work.bias[static_cast<std::size_t>(j)] =
          task.bias == nullptr ? 0.0F : task.bias[row * task.bias_row + j];
    }
    for (std::int64_t i = 0; i < task.queries; i += kQueries) {
      const Bfloat16* queries[kQueries];
      for (std::int64_t r = 0; r < kQueries; ++r) {
        // Beyond the last: the last again, whose result is not stored.
        const std::int64_t at = std::min(i + r, task.queries - 1);
        queries[r] = query + at * task.query.token;
      }
      wide_product(queries, work.keys.data(), columns, width_pairs, task.scale, scores);
      float sums[kQueries];
      for (std::int64_t r = 0; r < kQueries; ++r) {
        sums[r] = soften<kLanes>(scores + r * columns, work.bias.data(), columns);
        round_weights(scores + r * columns, columns, work.weights.data() + r * columns);
      }
      wide_product(weights_of, work.values.data(), value_columns, key_pairs, 1, result);
      for (std::int64_t r = 0; r < std::min(kQueries, task.queries - i); ++r) {
        store_result(result + r * value_columns, sums[r], task.width,
                     out + (i + r) * task.out.token);
      }
    }
  }
}

}  // namespace

void attend_avx512bf16(const AttentionTask<Bfloat16>& task, std::int64_t first, std::int64_t last) {
  if (task.width % 2 != 0) {
    attend_avx512(task, first, last);
    return;
  }
  thread_local Workspace work;
  attend_pairs(task, first, last, work);
}

}  // namespace longhaul::kernels
