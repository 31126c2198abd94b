// Vectors as an array has them: float32 as they are, or rounded to half precision (to nearest
// even). Pure functions; any thread.
#pragma once

#include <cstddef>
#include <span>

#include "domain/numbers.hpp"

namespace longhaul::store {

// Whether every value is finite, and finite in that type (half precision ends at 65504).
bool is_storable(std::span<const float> values, OutputDtype dtype);
void encode_values(std::span<const float> values, OutputDtype dtype, std::span<std::byte> bytes);
void decode_values(std::span<const std::byte> bytes, OutputDtype dtype, std::span<float> values);
// What a row without a vector holds: quiet NaN throughout.
void fill_nan(OutputDtype dtype, std::span<std::byte> bytes);

}  // namespace longhaul::store
