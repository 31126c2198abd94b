#include "torch/graph/graph_nodes.hpp"

#include <torch/csrc/jit/ir/constants.h>

namespace longhaul::torch_room {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;
namespace aten = torch::jit::aten;
namespace prim = torch::jit::prim;
namespace attr = torch::jit::attr;

std::optional<at::Tensor> constant_tensor(const Value* value) {
  const auto constant = torch::jit::toIValue(value);
  return constant && constant->isTensor() ? std::optional<at::Tensor>(constant->toTensor())
                                          : std::nullopt;
}

bool is_none(const Value* value) {
  const auto constant = torch::jit::toIValue(value);
  return constant && constant->isNone();
}

void collect(Block* block, c10::Symbol kind, std::vector<Node*>& nodes) {
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) {
      collect(inner, kind, nodes);
    }
    if (node->kind() == kind) {
      nodes.push_back(node);
    }
  }
}

Value* insert_tensor(Graph& graph, const at::Tensor& tensor) {
  Node* node = graph.create(prim::Constant);
  node->t_(attr::value, tensor);
  node->output()->setType(c10::TensorType::get());
  return graph.insertNode(node)->output();
}

Value* contiguous_constant(Graph& graph, Value* value) {
  const auto tensor = constant_tensor(value);
  return tensor ? insert_tensor(graph, tensor->contiguous()) : value;
}

void destroy_if_unused(Value* value) {
  if (!value->hasUses() && value->node()->kind() == prim::Constant) {
    value->node()->destroy();
  }
}

Node* only_user(const Node* node) {
  const auto& uses = node->output()->uses();
  return uses.size() == 1 && uses[0].user->owningBlock() == node->owningBlock() ? uses[0].user
                                                                                : nullptr;
}

std::optional<Residual> residual_of(const Node* node) {
  Node* user = only_user(node);
  if (user == nullptr || user->kind() != aten::add || user->inputs().size() != 3) {
    return std::nullopt;
  }
  const auto alpha = torch::jit::toIValue(user->input(2));
  const bool plain = alpha && alpha->isInt() && alpha->toInt() == 1;
  Value* other = user->input(0) == node->output() ? user->input(1) : user->input(0);
  if (!plain || other == node->output() || !other->type()->isSubtypeOf(*c10::TensorType::get())) {
    return std::nullopt;
  }
  return Residual{user, other};
}

}  // namespace longhaul::torch_room
