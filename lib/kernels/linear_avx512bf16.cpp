#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "kernels/forms.hpp"
#include "kernels/gelu.hpp"
#include "kernels/linear.hpp"
#include "kernels/pairs_avx512bf16.hpp"

namespace longhaul::kernels {
namespace {

constexpr std::int64_t kColumns = kOutputBlock / kLanes;  // registers across a block
// Rows at a time: with kColumns, sixteen sums, which hide the products' latency, and four columns
// of weights that are read once for four rows.
constexpr int kRows = 4;

LONGHAUL_BF16_INLINE __m512 gelu(const GeluFit& fit, __m512 x) {
  // The order keeps a NaN one: minimum and maximum give their second operand then.
  const __m512 t =
      _mm512_max_ps(_mm512_set1_ps(-fit.limit), _mm512_min_ps(_mm512_set1_ps(fit.limit), x));
  const __m512 square = _mm512_mul_ps(t, t);
  __m512 p = _mm512_set1_ps(fit.coefficients[9]);
  for (int i = 8; i >= 0; --i) {
    p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(fit.coefficients[i]));
  }
  return _mm512_mul_ps(x, _mm512_fmadd_ps(t, p, _mm512_set1_ps(0.5F)));
}

template <Activation A>
LONGHAUL_BF16_INLINE __m512 activated(__m512 x) {
  if constexpr (A == Activation::kRelu) {
    return _mm512_max_ps(_mm512_setzero_ps(), x);
  } else if constexpr (A == Activation::kGelu) {
    return gelu(kGelu, x);
  } else if constexpr (A == Activation::kGeluTanh) {
    return gelu(kGeluTanh, x);
  } else {
    return x;
  }
}

// R rows from `row` on times one block of outputs.
template <int R, Activation A>
LONGHAUL_BF16_INLINE void compute_rows(const LinearTask& task, std::int64_t row,
                                       std::int64_t block) {
  const Bfloat16* x[std::size_t{R}];
  __m512 sums[std::size_t{R}][kColumns];
  for (int r = 0; r < R; ++r) {
    x[r] = task.x + (row + r) * task.x_row;
    for (std::int64_t c = 0; c < kColumns; ++c) {
      sums[r][c] = _mm512_setzero_ps();
    }
  }
  const Bfloat16* weight = task.packed + block * kOutputBlock * task.inputs;
  for (std::int64_t i = 0; i < task.inputs; i += 2, weight += 2 * kOutputBlock) {
    __m512bh columns[kColumns];
    for (std::int64_t c = 0; c < kColumns; ++c) {
      columns[c] = as_pairs(_mm512_load_si512(weight + 2 * c * kLanes));
    }
    for (int r = 0; r < R; ++r) {
      std::int32_t pair = 0;
      std::memcpy(&pair, x[r] + i, sizeof pair);
      const __m512bh of_row = as_pairs(_mm512_set1_epi32(pair));
      for (std::int64_t c = 0; c < kColumns; ++c) {
        sums[r][c] = _mm512_dpbf16_ps(sums[r][c], of_row, columns[c]);
      }
    }
  }
  const std::int64_t first = block * kOutputBlock;
  for (std::int64_t c = 0; c < kColumns; ++c) {
    const std::int64_t at = first + c * kLanes;
    const __mmask16 some = first_lanes(task.outputs - at);
    const __m512 bias =
        task.bias == nullptr ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(some, task.bias + at);
    for (int r = 0; r < R; ++r) {
      __m512 result = activated<A>(_mm512_add_ps(sums[r][c], bias));
      const std::int64_t place = (row + r) * task.outputs + at;
      if (task.other != nullptr) {
        const __m512i other =
            _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(some, task.other + place));
        result = _mm512_add_ps(result, _mm512_castsi512_ps(_mm512_slli_epi32(other, 16)));
      }
      _mm256_mask_storeu_epi16(task.out + place, some, as_bits(_mm512_cvtneps_pbh(result)));
    }
  }
}

// Brings the share of the next block's weights that falls to the rows from `row` on into the second
// cache while these are computed. Weights are read once for a part, from memory where the model is
// larger than the caches.
inline void fetch_next(const LinearTask& task, std::int64_t row, std::int64_t block) {
  constexpr std::int64_t kLine = 64;  // bytes
  const std::int64_t lines = kOutputBlock * task.inputs * std::int64_t{sizeof(Bfloat16)} / kLine;
  const Bfloat16* next = task.packed + (block + 1) * kOutputBlock * task.inputs;
  const auto* bytes = static_cast<const char*>(static_cast<const void*>(next));
  const std::int64_t last = lines * std::min(row + kRows, task.rows) / task.rows;
  for (std::int64_t line = lines * row / task.rows; line < last; ++line) {
    _mm_prefetch(bytes + line * kLine, _MM_HINT_T1);
  }
}

template <Activation A>
[[LONGHAUL_BF16]] void compute_blocks(const LinearTask& task, std::int64_t first,
                                      std::int64_t last) {
  for (std::int64_t block = first; block < last; ++block) {
    std::int64_t row = 0;
    for (; row + kRows <= task.rows; row += kRows) {
      if (block + 1 < last) {
        fetch_next(task, row, block);
      }
      compute_rows<kRows, A>(task, row, block);
    }
    switch (task.rows - row) {
      case 3:
        compute_rows<3, A>(task, row, block);
        break;
      case 2:
        compute_rows<2, A>(task, row, block);
        break;
      case 1:
        compute_rows<1, A>(task, row, block);
        break;
      default:
        break;
    }
  }
}

}  // namespace

void linear_avx512bf16(const LinearTask& task, std::int64_t first, std::int64_t last) {
  switch (task.activation) {
    case Activation::kNone:
      return compute_blocks<Activation::kNone>(task, first, last);
    case Activation::kRelu:
      return compute_blocks<Activation::kRelu>(task, first, last);
    case Activation::kGelu:
      return compute_blocks<Activation::kGelu>(task, first, last);
    case Activation::kGeluTanh:
      return compute_blocks<Activation::kGeluTanh>(task, first, last);
  }
}

}  // namespace longhaul::kernels
