// Rotary positions as they are usually written, x * cos + cat(-second half, first half) * sin,
// become one pass over x.
#include <torch/csrc/jit/ir/constants.h>

#include <optional>

#include "torch/graph/graph_nodes.hpp"
#include "torch/graph/graph_passes.hpp"

namespace longhaul::torch_room {
namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;
namespace aten = torch::jit::aten;
namespace prim = torch::jit::prim;

struct Rotation {
  Value* x = nullptr;
  Value* cos = nullptr;
  Value* sin = nullptr;
};

bool is_int(const Value* value, std::int64_t wanted) {
  const auto constant = torch::jit::toIValue(value);
  return constant && constant->isInt() && constant->toInt() == wanted;
}

std::optional<Rotation> rotation_of(const Node* sum) {
  if (sum->inputs().size() != 3 || !is_int(sum->input(2), 1)) {
    return std::nullopt;
  }
  const Node* straight = sum->input(0)->node();
  const Node* across = sum->input(1)->node();
  if (straight->kind() != aten::mul || across->kind() != aten::mul) {
    return std::nullopt;
  }
  const Node* joined = across->input(0)->node();
  if (joined->kind() != aten::cat || !is_int(joined->input(1), -1)) {
    return std::nullopt;
  }
  const Node* list = joined->input(0)->node();
  if (list->kind() != prim::ListConstruct || list->inputs().size() != 2) {
    return std::nullopt;
  }
  const Node* minus = list->input(0)->node();
  if (minus->kind() != aten::neg) {
    return std::nullopt;
  }
  const Node* halves = minus->input(0)->node();
  if (halves->kind() != prim::ListUnpack || halves->outputs().size() != 2 ||
      minus->input(0) != halves->output(1) || list->input(1) != halves->output(0)) {
    return std::nullopt;
  }
  const Node* cut = halves->input()->node();
  Value* x = straight->input(0);
  if (cut->kind() != aten::chunk || cut->input(0) != x || !is_int(cut->input(1), 2) ||
      !is_int(cut->input(2), -1)) {
    return std::nullopt;
  }
  return Rotation{x, straight->input(1), across->input(1)};
}

}  // namespace

void fuse_rotations(PassContext& pass) {
  Graph& graph = *pass.graph;
  std::vector<Node*> sums;
  collect(graph.block(), aten::add, sums);
  for (Node* sum : sums) {
    const std::optional<Rotation> found = rotation_of(sum);
    if (!found) {
      continue;
    }
    torch::jit::WithInsertPoint guard(sum);
    Node* fused =
        graph.insertNode(graph.create(c10::Symbol::fromQualString("longhaul::rotation"),
                                      {found->x, found->cos, found->sin, pass.isa_constant()}));
    fused->output()->setType(c10::TensorType::get());
    sum->output()->replaceAllUsesWith(fused->output());
    sum->destroy();
    pass.count("rotation", 1);
  }
}

}  // namespace longhaul::torch_room
