// Arrays that kernels take, as their owner laid them out. Views: they own nothing.
#pragma once

#include <cstdint>

namespace longhaul::kernels {

struct Bfloat16 {
  std::uint16_t bits = 0;
};

// [rows, heads, tokens, width] by strides, in elements; the last stride is 1. Aligned as T is.
template <typename T>
struct States {
  T* data = nullptr;
  std::int64_t row = 0;
  std::int64_t head = 0;
  std::int64_t token = 0;
};

}  // namespace longhaul::kernels
