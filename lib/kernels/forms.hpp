// The implementations of attention and rotation by name, for the lists of them.
// T: float or Bfloat16. Each may only be called where the machine has its instruction set.
#pragma once

#include "kernels/attention.hpp"
#include "kernels/rotation.hpp"

namespace longhaul::kernels {

template <typename T>
void attend_plain(const AttentionTask<T>& task, std::int64_t first, std::int64_t last);
template <typename T>
void attend_avx2(const AttentionTask<T>& task, std::int64_t first, std::int64_t last);
template <typename T>
void attend_avx512(const AttentionTask<T>& task, std::int64_t first, std::int64_t last);
// By the processor's own bfloat16 products, two numbers at a time: sums are float32, and the
// weights are rounded to bfloat16 before they meet the values. An odd width, which has no pairs, is
// computed as by attend_avx512().
void attend_avx512bf16(const AttentionTask<Bfloat16>& task, std::int64_t first, std::int64_t last);

template <typename T>
void rotate_plain(const RotationTask<T>& task, std::int64_t first, std::int64_t last);
template <typename T>
void rotate_avx2(const RotationTask<T>& task, std::int64_t first, std::int64_t last);

}  // namespace longhaul::kernels
