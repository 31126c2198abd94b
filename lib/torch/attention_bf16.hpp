// Attention for bfloat16 states by the processor's own bfloat16 products, two numbers at a time.
#pragma once

#include "torch/attention_kernel.hpp"

namespace longhaul {

// False where the processor has no such instructions, or the states no even width.
bool attends_in_bf16(const AttentionTask<Bfloat16>& task);

// As attend(); sums are float32, and the weights are rounded to bfloat16 before they meet the
// values.
void attend_in_bf16(const AttentionTask<Bfloat16>& task, std::int64_t first, std::int64_t last);

}  // namespace longhaul
