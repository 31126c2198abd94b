#include "torch/graph/linear_nodes.hpp"

#include <algorithm>

#include "torch/graph/fused_operators.hpp"
#include "torch/graph/graph_nodes.hpp"

namespace longhaul::torch_room {
namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;
namespace aten = torch::jit::aten;

bool has_constant_weight(const Node* node) {
  const auto weight = constant_tensor(node->input(1));
  return weight && weight->dim() == 2;
}

bool is_packable(const Node* node) {
  if (!has_constant_weight(node)) {
    return false;
  }
  const at::Tensor weight = *constant_tensor(node->input(1));
  const bool bias_known = is_none(node->input(2)) || constant_tensor(node->input(2));
  return bias_known && weight.is_cpu() && weight.layout() == c10::kStrided &&
         has_packed_linear(weight.scalar_type());
}

}  // namespace

std::vector<LinearShape> linear_shapes(Graph& graph) {
  std::vector<LinearShape> shapes;
  std::vector<Node*> nodes;
  collect(graph.block(), aten::linear, nodes);
  for (const Node* node : nodes) {
    if (!has_constant_weight(node)) {
      continue;
    }
    const at::Tensor weight = *constant_tensor(node->input(1));
    const auto found = std::find_if(shapes.begin(), shapes.end(), [&](const LinearShape& shape) {
      return shape.inputs == weight.size(1) && shape.outputs == weight.size(0) &&
             shape.type == weight.scalar_type();
    });
    if (found == shapes.end()) {
      shapes.push_back({weight.size(1), weight.size(0), 1, weight.scalar_type()});
    } else {
      ++found->count;
    }
  }
  return shapes;
}

std::vector<Node*> packable_linears(Graph& graph) {
  std::vector<Node*> nodes;
  collect(graph.block(), aten::linear, nodes);
  std::erase_if(nodes, [](const Node* node) { return !is_packable(node); });
  return nodes;
}

void remove_linear(Node* node) {
  Value* weight = node->input(1);
  Value* bias = node->input(2);
  node->destroy();
  destroy_if_unused(weight);
  if (bias != weight) {
    destroy_if_unused(bias);
  }
}

}  // namespace longhaul::torch_room
