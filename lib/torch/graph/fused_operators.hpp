// TorchScript operators of this program, which the graph passes (graph_passes.hpp) put in place of
// LibTorch's own on the CPU. Registered by name with the interpreter, once per process.
//   longhaul::linear(x, packed weight, bias?, activation, other?): oneDNN, with gelu or a residual
//     sum in the same pass over the result
//   longhaul::attention(q, k, v, mask?, scale?, isa): kernels/attention.hpp where it applies, else
//     LibTorch's scaled_dot_product_attention
//   longhaul::convolution: packed_convolution.hpp
//   longhaul::rotation(x, cos, sin, isa): x * cos + cat(-second half of x, first half) * sin along
//     the last dimension, in one pass; to the bit what these operations give in float32
// `isa`, a number in the graph, is the kernels::Isa that our kernels use.
#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <string>

#include "kernels/isa.hpp"

namespace longhaul::torch_room {

void register_fused_operators();

// True when this LibTorch and this processor have what longhaul::linear needs for `type`.
bool has_packed_linear(c10::ScalarType type);

// A weight in oneDNN's layout for about `rows` rows of input.
at::Tensor pack_weight(const at::Tensor& weight, std::int64_t rows);

// activation: "none", "gelu" (exact), "gelu_tanh", "relu".
at::Tensor packed_linear(const at::Tensor& input, const at::Tensor& packed,
                         const std::optional<at::Tensor>& bias, const std::string& activation,
                         const std::optional<at::Tensor>& other);

at::Tensor fused_rotation(kernels::Isa isa, const at::Tensor& x, const at::Tensor& cos,
                          const at::Tensor& sin);

at::Tensor fused_attention(kernels::Isa isa, const at::Tensor& query, const at::Tensor& key,
                           const at::Tensor& value, const std::optional<at::Tensor>& mask,
                           std::optional<double> scale);

}  // namespace longhaul::torch_room
