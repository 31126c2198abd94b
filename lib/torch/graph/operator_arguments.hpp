// What this program's TorchScript operators ask of their arguments. Any thread.
#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/jit/runtime/operator.h>

#include "kernels/isa.hpp"

namespace longhaul::torch_room {

// The last argument: PassContext::isa_constant().
inline kernels::Isa pop_isa(torch::jit::Stack& stack) {
  return static_cast<kernels::Isa>(torch::jit::pop(stack).toInt());
}

// Whether `other` has the type of a linear layer's result, and its shape, so that it can be added
// in the same pass.
inline bool is_like_result(const at::Tensor& other, const at::Tensor& input, std::int64_t outputs) {
  const auto last = static_cast<std::size_t>(input.dim() - 1);
  return other.scalar_type() == input.scalar_type() && other.dim() == input.dim() &&
         other.size(-1) == outputs && other.sizes().slice(0, last) == input.sizes().slice(0, last);
}

}  // namespace longhaul::torch_room
