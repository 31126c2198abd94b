// The implementations of the kernels by name, for the lists of them.
// Each may only be called where the machine has its instruction set. Not templates: GCC forgets a
// target attribute that a template's definition has and its earlier declaration lacks.
#pragma once

#include "kernels/attention.hpp"
#include "kernels/linear.hpp"
#include "kernels/norm.hpp"
#include "kernels/rotation.hpp"

namespace longhaul::kernels {

void attend_plain(const AttentionTask<float>& task, std::int64_t first, std::int64_t last);
void attend_plain(const AttentionTask<Bfloat16>& task, std::int64_t first, std::int64_t last);
void attend_avx2(const AttentionTask<float>& task, std::int64_t first, std::int64_t last);
void attend_avx2(const AttentionTask<Bfloat16>& task, std::int64_t first, std::int64_t last);
void attend_avx512(const AttentionTask<float>& task, std::int64_t first, std::int64_t last);
void attend_avx512(const AttentionTask<Bfloat16>& task, std::int64_t first, std::int64_t last);
// By the processor's own bfloat16 products, two numbers at a time: sums are float32, and the
// weights are rounded to bfloat16 before they meet the values. An odd width, which has no pairs, is
// computed as by attend_avx512().
void attend_avx512bf16(const AttentionTask<Bfloat16>& task, std::int64_t first, std::int64_t last);

void rotate_plain(const RotationTask<float>& task, std::int64_t first, std::int64_t last);
void rotate_plain(const RotationTask<Bfloat16>& task, std::int64_t first, std::int64_t last);
void rotate_avx2(const RotationTask<float>& task, std::int64_t first, std::int64_t last);
void rotate_avx2(const RotationTask<Bfloat16>& task, std::int64_t first, std::int64_t last);

void linear_plain(const LinearTask& task, std::int64_t first, std::int64_t last);
// By the processor's own bfloat16 products.
void linear_avx512bf16(const LinearTask& task, std::int64_t first, std::int64_t last);

void norm_plain(const NormTask& task, std::int64_t first, std::int64_t last);
void norm_avx2(const NormTask& task, std::int64_t first, std::int64_t last);
void norm_avx512bf16(const NormTask& task, std::int64_t first, std::int64_t last);

}  // namespace longhaul::kernels
