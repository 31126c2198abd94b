// Registers of pairs of bfloat16 numbers, for the files that use the processor's own products of
// them: a pair is two numbers that are multiplied and added together.
#pragma once

#include <immintrin.h>

#include <cstdint>

#define LONGHAUL_BF16 gnu::target("avx512f,avx512dq,avx512bw,avx512vl,avx512bf16,fma")
#define LONGHAUL_BF16_INLINE [[LONGHAUL_BF16, gnu::always_inline]] inline

namespace longhaul::kernels {

inline constexpr std::int64_t kLanes = 16;  // floats, or pairs, in a register

// The first `count` of a register, all of it from kLanes on.
LONGHAUL_BF16_INLINE __mmask16 first_lanes(std::int64_t count) {
  return count >= kLanes ? __mmask16{0xFFFF}
         : count <= 0    ? __mmask16{0}
                         : static_cast<__mmask16>((1U << count) - 1);
}

// std::bit_cast is a function without these instructions, so that a vector may not pass through it.
LONGHAUL_BF16_INLINE __m512bh as_pairs(__m512i bits) {
  return __builtin_bit_cast(__m512bh, bits);
}
LONGHAUL_BF16_INLINE __m256i as_bits(__m256bh numbers) {
  return __builtin_bit_cast(__m256i, numbers);
}

}  // namespace longhaul::kernels
