// What the graph passes ask of nodes and do to them. The encoding thread.
#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/jit/ir/ir.h>

#include <optional>
#include <vector>

namespace longhaul::torch_room {

std::optional<at::Tensor> constant_tensor(const torch::jit::Value* value);
bool is_none(const torch::jit::Value* value);

// Appends the nodes of a kind, those of inner blocks too, in order.
void collect(torch::jit::Block* block, c10::Symbol kind, std::vector<torch::jit::Node*>& nodes);

// At the graph's insertion point; tensors of oneDNN's layout too, which insertConstant() refuses.
torch::jit::Value* insert_tensor(torch::jit::Graph& graph, const at::Tensor& tensor);

// A constant tensor's value again, contiguous; what is no constant tensor, itself.
torch::jit::Value* contiguous_constant(torch::jit::Graph& graph, torch::jit::Value* value);

void destroy_if_unused(torch::jit::Value* value);

// The one node of the same block that uses this node's output; null when there are others.
torch::jit::Node* only_user(const torch::jit::Node* node);

// The plain sum that is all a node's output is used for, and its other operand.
struct Residual {
  torch::jit::Node* sum = nullptr;
  torch::jit::Value* other = nullptr;
};
std::optional<Residual> residual_of(const torch::jit::Node* node);

}  // namespace longhaul::torch_room
