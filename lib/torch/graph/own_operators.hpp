// TorchScript operators over this program's own bfloat16 products and layer norms (lib/kernels),
// which the graph passes put in place of LibTorch's where `own` kernels are chosen. Registered by
// name with the interpreter, once per process.
//   longhaul::own_linear(x, packed weight, bias?, activation, other?, outputs, isa)
//   longhaul::own_norm(x, weight, bias, epsilon, isa)
#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <string>

#include "kernels/isa.hpp"

namespace longhaul::torch_room {

void register_own_operators();

// True for a weight, outputs x inputs, and a bias that own_linear takes.
bool has_own_linear(const at::Tensor& weight, const std::optional<at::Tensor>& bias);

at::Tensor pack_own_weight(const at::Tensor& weight);

// x: [..., inputs]; packed: by pack_own_weight(); bias: float32; other: added, of the result's
// shape. activation: "none", "gelu" (exact), "gelu_tanh", "relu".
at::Tensor own_linear(kernels::Isa isa, const at::Tensor& x, const at::Tensor& packed,
                      const std::optional<at::Tensor>& bias, const std::string& activation,
                      const std::optional<at::Tensor>& other, std::int64_t outputs);

// x: [..., width]; weight and bias: float32, of `width`.
at::Tensor own_norm(kernels::Isa isa, const at::Tensor& x, const at::Tensor& weight,
                    const at::Tensor& bias, double epsilon);

}  // namespace longhaul::torch_room
