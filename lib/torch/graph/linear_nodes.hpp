// Linear layers with constant weights in a graph: what the passes over them share. The encoding
// thread.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <cstdint>
#include <vector>

namespace longhaul::torch_room {

// Sizes of the linear layers with constant weights, of any device, as a batch meets them.
struct LinearShape {
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
  std::int64_t count = 0;
  c10::ScalarType type{};
};
std::vector<LinearShape> linear_shapes(torch::jit::Graph& graph);

// Those on the CPU whose weights can be packed.
std::vector<torch::jit::Node*> packable_linears(torch::jit::Graph& graph);

// Removes a linear whose output is no longer used, and its weights with it.
void remove_linear(torch::jit::Node* node);

}  // namespace longhaul::torch_room
