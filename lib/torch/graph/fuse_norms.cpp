// Layer norms over the last dimension with constant weights run in our kernel, where `own` kernels
// are chosen.
#include <torch/csrc/jit/ir/constants.h>

#include <vector>

#include "torch/graph/graph_nodes.hpp"
#include "torch/graph/graph_passes.hpp"

namespace longhaul::torch_room {
namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;
namespace aten = torch::jit::aten;

bool is_ours(const Node* node) {
  const auto shape = torch::jit::toIValue(node->input(1));
  const auto weight = constant_tensor(node->input(2));
  const auto bias = constant_tensor(node->input(3));
  const auto epsilon = torch::jit::toIValue(node->input(4));
  return shape && shape->isIntList() && weight && bias && epsilon &&
         shape->toIntVector().size() == 1 && weight->is_cpu() &&
         weight->scalar_type() == c10::kBFloat16 && weight->sizes() == bias->sizes() &&
         bias->scalar_type() == c10::kBFloat16 &&
         weight->sizes() == at::IntArrayRef(shape->toIntVector());
}

Value* in_float(Graph& graph, const Value* tensor) {
  return insert_tensor(graph, constant_tensor(tensor)->to(c10::kFloat).contiguous());
}

}  // namespace

void fuse_norms(PassContext& pass) {
  if (!pass.own) {
    return;
  }
  Graph& graph = *pass.graph;
  std::vector<Node*> nodes;
  collect(graph.block(), aten::layer_norm, nodes);
  for (Node* node : nodes) {
    if (!is_ours(node)) {
      continue;
    }
    const torch::jit::WithInsertPoint guard(node);
    Node* fused = graph.insertNode(
        graph.create(c10::Symbol::fromQualString("longhaul::own_norm"),
                     {node->input(0), in_float(graph, node->input(2)),
                      in_float(graph, node->input(3)), node->input(4), pass.isa_constant()}));
    fused->output()->setType(c10::TensorType::get());
    node->output()->replaceAllUsesWith(fused->output());
    node->destroy();
    pass.count("norm", 1);
  }
}

}  // namespace longhaul::torch_room
