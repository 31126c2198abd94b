// Parts of the kernels: numbers, and the softmax, in vectors of W floats.
// Included by files that are compiled for several instruction sets: each takes these functions into
// its own, at the width of its registers.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

#include "kernels/states.hpp"

#define LONGHAUL_INLINE [[gnu::always_inline]] inline

namespace longhaul::kernels {

inline constexpr float kLowest = -std::numeric_limits<float>::infinity();

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

}  // namespace longhaul::kernels
