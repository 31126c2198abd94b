#include "torch/attention_kernel.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define LONGHAUL_INLINE [[gnu::always_inline]] inline

namespace longhaul {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

template <int W>
struct Lanes {
  typedef float Floats __attribute__((vector_size(W * 4)));
  typedef std::int32_t Integers __attribute__((vector_size(W * 4)));
};

LONGHAUL_INLINE float to_float(float value) {
  return value;
}
LONGHAUL_INLINE float to_float(Bfloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}
LONGHAUL_INLINE void store(float value, float& place) {
  place = value;
}
LONGHAUL_INLINE void store(float value, Bfloat16& place) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  // To nearest, ties to even; a NaN stays one.
  const std::uint32_t rounded =
      value == value ? bits + 0x7FFF + ((bits >> 16) & 1) : bits | 0x400000;
  place.bits = static_cast<std::uint16_t>(rounded >> 16);
}

constexpr std::int64_t rounded_up(std::int64_t value, std::int64_t step) {
  return (value + step - 1) / step * step;
}

// e^x to about 2 units in the last place, 0 below -87; a NaN stays one.
template <int W>
LONGHAUL_INLINE void exponentials(float* values) {
  using Floats = typename Lanes<W>::Floats;
  using Integers = typename Lanes<W>::Integers;
  Floats x;
  std::memcpy(&x, values, sizeof x);
  const Integers too_low = x < -87.0F;
  x = too_low ? x - x - 87.0F : x;
  x = too_low ? Floats{} - 87.0F : x;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number
  const Floats n = (x * 1.44269504088896341F + kRound) - kRound;
  const Floats r = (x - n * 0.693359375F) - n * -2.12194440e-4F;
  Floats p = r * 1.9875691500e-4F + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  const Integers power = (__builtin_convertvector(n, Integers) + 127) << 23;
  Floats scale;
  std::memcpy(&scale, &power, sizeof scale);
  p = p * scale;
  p = too_low ? Floats{} : p;
  std::memcpy(values, &p, sizeof p);
}

// out[r][0 .. W*C) = sum over k of left[r * left_stride + k] * right[k * right_stride + ...]
template <int W, int R, int C>
LONGHAUL_INLINE void product(const float* left, std::int64_t left_stride, const float* right,
                             std::int64_t right_stride, std::int64_t depth, float* out,
                             std::int64_t out_stride) {
  using Floats = typename Lanes<W>::Floats;
  Floats sums[std::size_t{R}][std::size_t{C}] = {};
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

// Turns scores into weights that are not yet divided by their sum, which is returned.
template <int W>
LONGHAUL_INLINE float soften(float* scores, const float* bias, std::int64_t columns) {
  using Floats = typename Lanes<W>::Floats;
  Floats greatest = Floats{} + kLowest;
  for (std::int64_t j = 0; j < columns; j += W) {
    Floats score;
    Floats added;
    std::memcpy(&score, scores + j, sizeof score);
    std::memcpy(&added, bias + j, sizeof added);
    score += added;
    greatest = greatest > score ? greatest : score;
    std::memcpy(scores + j, &score, sizeof score);
  }
  float most = greatest[0];
  for (int lane = 1; lane < W; ++lane) {
    most = most > greatest[lane] ? most : greatest[lane];
  }
  Floats sums = {};
  for (std::int64_t j = 0; j < columns; j += W) {
    Floats score;
    std::memcpy(&score, scores + j, sizeof score);
    score -= most;
    std::memcpy(scores + j, &score, sizeof score);
    exponentials<W>(scores + j);
    std::memcpy(&score, scores + j, sizeof score);
    sums += score;
  }
  float sum = 0;
  for (int lane = 0; lane < W; ++lane) {
    sum += sums[lane];
  }
  return sum;
}

// Working memory of one thread, grown to the longest record it has seen.
struct Workspace {
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
                                  std::int64_t last, Workspace& work, Transpose<T> transpose) {
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

template <typename T>
void attend_any(const AttentionTask<T>& task, std::int64_t first, std::int64_t last,
                Workspace& work) {
  attend_pairs<T, 4, 4, 2>(task, first, last, work, transpose_any<T>);
}

#if defined(__x86_64__)
#define LONGHAUL_AVX512 [[gnu::target("avx512f"), gnu::always_inline]] inline

LONGHAUL_AVX512 __m512 load_16(const float* from) {
  return _mm512_loadu_ps(from);
}
LONGHAUL_AVX512 __m512 load_16(const Bfloat16* from) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

LONGHAUL_AVX512 __m512 low_pairs(__m512 a, __m512 b) {
  return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}
LONGHAUL_AVX512 __m512 high_pairs(__m512 a, __m512 b) {
  return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}
LONGHAUL_AVX512 __m512 even_quarters(__m512 a, __m512 b) {
  return _mm512_shuffle_f32x4(a, b, 0x88);
}
LONGHAUL_AVX512 __m512 odd_quarters(__m512 a, __m512 b) {
  return _mm512_shuffle_f32x4(a, b, 0xDD);
}

// 16 rows of 16, in place. Within each quarter 4 x 4 first, then the quarters among each other.
LONGHAUL_AVX512 void transpose_16(__m512* rows) {
  for (int i = 0; i < 16; i += 4) {
    const __m512 low = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
    const __m512 high = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
    const __m512 next_low = _mm512_unpacklo_ps(rows[i + 2], rows[i + 3]);
    const __m512 next_high = _mm512_unpackhi_ps(rows[i + 2], rows[i + 3]);
    rows[i] = low_pairs(low, next_low);
    rows[i + 1] = high_pairs(low, next_low);
    rows[i + 2] = low_pairs(high, next_high);
    rows[i + 3] = high_pairs(high, next_high);
  }
  for (int i = 0; i < 4; ++i) {
    const __m512 even = even_quarters(rows[i], rows[i + 4]);
    const __m512 odd = odd_quarters(rows[i], rows[i + 4]);
    const __m512 next_even = even_quarters(rows[i + 8], rows[i + 12]);
    const __m512 next_odd = odd_quarters(rows[i + 8], rows[i + 12]);
    rows[i] = even_quarters(even, next_even);
    rows[i + 4] = even_quarters(odd, next_odd);
    rows[i + 8] = odd_quarters(even, next_even);
    rows[i + 12] = odd_quarters(odd, next_odd);
  }
}

// `columns` is a multiple of 16; those beyond `tokens` become 0. One by one, the stores would be
// most of the time of a short record's attention: a column's lines fall into few sets of the cache.
template <typename T>
[[gnu::target("avx512f")]] void transpose_avx512(const T* from, std::int64_t stride,
                                                 std::int64_t tokens, std::int64_t width, float* to,
                                                 std::int64_t columns) {
  const std::int64_t blocks = width / 16 * 16;
  for (std::int64_t j = 0; j < tokens; j += 16) {
    for (std::int64_t d = 0; d < blocks; d += 16) {
      __m512 rows[16];
      for (std::int64_t r = 0; r < 16; ++r) {
        rows[r] = j + r < tokens ? load_16(from + (j + r) * stride + d) : _mm512_setzero_ps();
      }
      transpose_16(rows);
      for (std::int64_t r = 0; r < 16; ++r) {
        _mm512_storeu_ps(to + (d + r) * columns + j, rows[r]);
      }
    }
  }
  transpose_any(from + blocks, stride, tokens, width - blocks, to + blocks * columns, columns);
}

template <typename T>
[[gnu::target("avx512f,avx512dq,avx512vl,fma")]] void attend_avx512(const AttentionTask<T>& task,
                                                                    std::int64_t first,
                                                                    std::int64_t last,
                                                                    Workspace& work) {
  attend_pairs<T, 16, 8, 2>(task, first, last, work, transpose_avx512<T>);
}

template <typename T>
[[gnu::target("avx2,fma")]] void attend_avx2(const AttentionTask<T>& task, std::int64_t first,
                                             std::int64_t last, Workspace& work) {
  attend_pairs<T, 8, 4, 2>(task, first, last, work, transpose_any<T>);
}

template <typename T>
void attend_here(const AttentionTask<T>& task, std::int64_t first, std::int64_t last,
                 Workspace& work) {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    attend_avx512(task, first, last, work);
  } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    attend_avx2(task, first, last, work);
  } else {
    attend_any(task, first, last, work);
  }
}
#else
template <typename T>
void attend_here(const AttentionTask<T>& task, std::int64_t first, std::int64_t last,
                 Workspace& work) {
  attend_any(task, first, last, work);
}
#endif

}  // namespace

void attend(const AttentionTask<float>& task, std::int64_t first, std::int64_t last) {
  thread_local Workspace work;
  attend_here(task, first, last, work);
}

void attend(const AttentionTask<Bfloat16>& task, std::int64_t first, std::int64_t last) {
  thread_local Workspace work;
  attend_here(task, first, last, work);
}

}  // namespace longhaul
