// scaled_dot_product_attention without dropout and causal mask runs in our kernel.
#include <torch/csrc/jit/ir/constants.h>

#include <optional>
#include <vector>

#include "torch/graph/graph_nodes.hpp"
#include "torch/graph/graph_passes.hpp"

namespace longhaul::torch_room {

using torch::jit::Graph;
using torch::jit::IValue;
using torch::jit::Node;
using torch::jit::Value;
namespace aten = torch::jit::aten;

void fuse_attention(PassContext& pass) {
  Graph& graph = *pass.graph;
  std::vector<Node*> nodes;
  collect(graph.block(), aten::scaled_dot_product_attention, nodes);
  for (Node* node : nodes) {
    const auto dropout = torch::jit::toIValue(node->input(4));
    const auto causal = torch::jit::toIValue(node->input(5));
    const auto grouped = node->inputs().size() > 7 ? torch::jit::toIValue(node->input(7))
                                                   : std::optional<IValue>(IValue(false));
    if (!dropout || dropout->toDouble() != 0.0 || !causal || causal->toBool() || !grouped ||
        grouped->toBool()) {
      continue;
    }
    torch::jit::WithInsertPoint guard(node);
    Value* scale = node->inputs().size() > 6 ? node->input(6) : graph.insertConstant(IValue());
    Node* fused = graph.insertNode(graph.create(c10::Symbol::fromQualString("longhaul::attention"),
                                                {node->input(0), node->input(1), node->input(2),
                                                 node->input(3), scale, pass.isa_constant()}));
    fused->output()->setType(c10::TensorType::get());
    node->output()->replaceAllUsesWith(fused->output());
    node->destroy();
    pass.count("attention", 1);
  }
}

}  // namespace longhaul::torch_room
