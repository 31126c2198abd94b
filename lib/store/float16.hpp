// Half precision (IEEE binary16) by hand, so that every machine stores the same bits.
// Pure functions; any thread.
#pragma once

#include <bit>
#include <cstdint>

namespace longhaul::store {

// Round to nearest, ties to even. A value too large becomes infinity: half_overflows tells before.
constexpr std::uint16_t to_half(float value) {
  std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  bits &= 0x7FFFFFFFU;
  if (bits > 0x7F800000U) {
    return static_cast<std::uint16_t>(sign | 0x7E00U);
  }
  if (bits >= 0x477FF000U) {  // 65520 and above
    return static_cast<std::uint16_t>(sign | 0x7C00U);
  }
  if (bits < 0x38800000U) {
    // Below 2^-14: adding 0.5 lets the float's own rounding leave multiples of 2^-24.
    const float shifted = std::bit_cast<float>(bits) + 0.5F;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3F000000U));
  }
  bits += 0xC8000000U + 0xFFFU + ((bits >> 13) & 1U);  // new exponent bias, then round
  return static_cast<std::uint16_t>(sign | (bits >> 13));
}

// Finite as float32, but not as half.
constexpr bool half_overflows(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value) & 0x7FFFFFFFU;
  return bits >= 0x477FF000U && bits < 0x7F800000U;
}

constexpr float from_half(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) * 0x10000U;
  const std::uint32_t exponent = (half >> 10) & 31U;
  const std::uint32_t fraction = half & 0x3FFU;
  if (exponent == 31) {
    return std::bit_cast<float>(sign | 0x7F800000U | (fraction << 13));
  }
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112U) << 23) | (fraction << 13));
}

}  // namespace longhaul::store
