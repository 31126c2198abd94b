// Rotation over tokens (rotation.hpp), for the files that compile it for their instruction set.
#pragma once

#include "kernels/lanes.hpp"
#include "kernels/rotation.hpp"

namespace longhaul::kernels {

template <typename T>
LONGHAUL_INLINE void rotate_head(const T* __restrict x, const T* __restrict cos,
                                 const T* __restrict sin, std::int64_t half, T* __restrict low_out,
                                 T* __restrict high_out) {
  for (std::int64_t d = 0; d < half; ++d) {
    const float low = to_float(x[d]);
    const float high = to_float(x[d + half]);
    store(low * to_float(cos[d]) - high * to_float(sin[d]), low_out[d]);
    store(high * to_float(cos[d + half]) + low * to_float(sin[d + half]), high_out[d]);
  }
}

template <typename T>
LONGHAUL_INLINE void rotate_tokens(const RotationTask<T>& task, std::int64_t first,
                                   std::int64_t last) {
  const std::int64_t half = task.width / 2;
  for (std::int64_t at = first; at < last; ++at) {
    const std::int64_t token = at % task.tokens;
    const T* cos = task.cos + token * task.width;
    const T* sin = task.sin + token * task.width;
    const T* x = task.x.data + at / task.tokens * task.x.row + token * task.x.token;
    T* out = task.out + at * task.heads * task.width;
    for (std::int64_t head = 0; head < task.heads; ++head) {
      rotate_head(x, cos, sin, half, out, out + half);
      x += task.x.head;
      out += task.width;
    }
  }
}

}  // namespace longhaul::kernels
