// Transposes 16 x 16 numbers of 32 bits in AVX-512 registers.
#pragma once

#include <immintrin.h>

#define LONGHAUL_AVX512 [[gnu::target("avx512f"), gnu::always_inline]] inline

namespace longhaul::kernels {

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

}  // namespace longhaul::kernels
