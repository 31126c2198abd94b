#include "store/stored_values.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "store/float16.hpp"

namespace longhaul::store {

bool is_storable(std::span<const float> values, OutputDtype dtype) {
  return std::all_of(values.begin(), values.end(), [dtype](float value) {
    return std::isfinite(value) && (dtype == OutputDtype::kFp32 || !half_overflows(value));
  });
}

void encode_values(std::span<const float> values, OutputDtype dtype, std::span<std::byte> bytes) {
  if (dtype == OutputDtype::kFp32) {
    std::ranges::copy(std::as_bytes(values), bytes.begin());
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t half = to_half(values[i]);
    std::memcpy(bytes.data() + i * sizeof(half), &half, sizeof(half));
  }
}

void decode_values(std::span<const std::byte> bytes, OutputDtype dtype, std::span<float> values) {
  if (dtype == OutputDtype::kFp32) {
    std::ranges::copy(bytes, std::as_writable_bytes(values).begin());
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, bytes.data() + i * sizeof(half), sizeof(half));
    values[i] = from_half(half);
  }
}

void fill_nan(OutputDtype dtype, std::span<std::byte> bytes) {
  const std::uint32_t nan = dtype == OutputDtype::kFp32 ? 0x7FC00000U : 0x7E00U;
  const std::size_t size = dtype == OutputDtype::kFp32 ? 4 : 2;
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    std::memcpy(bytes.data() + at, &nan, size);
  }
}

}  // namespace longhaul::store
