// Weights of linear layers are packed once, as oneDNN wants them; gelu, relu or a residual sum
// is fused into the product. Weights that are packed are released. Our own products take those of
// bfloat16 where `own` kernels are chosen.
#include <torch/csrc/jit/ir/constants.h>

#include "torch/graph/fused_operators.hpp"
#include "torch/graph/graph_nodes.hpp"
#include "torch/graph/graph_passes.hpp"
#include "torch/graph/linear_nodes.hpp"
#include "torch/graph/own_operators.hpp"

namespace longhaul::torch_room {
namespace {

using torch::jit::Graph;
using torch::jit::IValue;
using torch::jit::Node;
using torch::jit::Value;
namespace aten = torch::jit::aten;

// Rows of input that weights are packed for: a batch of the size that suits a CPU's caches.
constexpr std::int64_t kPackedRows = 1024;

std::string fused_activation(PassContext& pass, Node* linear, Node*& last) {
  Node* user = only_user(linear);
  if (user == nullptr) {
    return "none";
  }
  std::string activation = "none";
  if (user->kind() == aten::relu) {
    activation = "relu";
  } else if (user->kind() == aten::gelu) {
    const auto approximate = torch::jit::toIValue(user->input(1));
    if (approximate && approximate->isString()) {
      activation = approximate->toStringRef() == "none" ? "gelu" : "gelu_tanh";
    }
  }
  if (activation != "none") {
    last = user;
    pass.count(activation.substr(0, 4).c_str(), 1);
  }
  return activation;
}

Node* linear_node(PassContext& pass, Node* linear, const std::string& activation, Value* other) {
  Graph& graph = *pass.graph;
  Value* weight =
      insert_tensor(graph, pack_weight(*constant_tensor(linear->input(1)), kPackedRows));
  Value* bias = contiguous_constant(graph, linear->input(2));
  return graph.create(c10::Symbol::fromQualString("longhaul::linear"),
                      {linear->input(0), weight, bias, graph.insertConstant(activation), other});
}

Node* own_linear_node(PassContext& pass, Node* linear, const std::string& activation,
                      Value* other) {
  Graph& graph = *pass.graph;
  const at::Tensor weight = *constant_tensor(linear->input(1));
  const auto bias = constant_tensor(linear->input(2));
  return graph.create(c10::Symbol::fromQualString("longhaul::own_linear"),
                      {linear->input(0), insert_tensor(graph, pack_own_weight(weight)),
                       bias ? insert_tensor(graph, bias->to(c10::kFloat).contiguous())
                            : graph.insertConstant(IValue()),
                       graph.insertConstant(activation), other,
                       graph.insertConstant(weight.size(0)), pass.isa_constant()});
}

void pack(PassContext& pass, Node* linear) {
  Graph& graph = *pass.graph;
  Node* last = linear;  // the node whose output the new one takes over
  const std::string activation = fused_activation(pass, linear, last);
  Value* other = nullptr;
  if (const auto sum = activation == "none" ? residual_of(linear) : std::nullopt) {
    last = sum->sum;
    other = sum->other;
    pass.count("add", 1);
  }
  torch::jit::WithInsertPoint guard(last);
  if (other == nullptr) {
    other = graph.insertConstant(IValue());
  }
  Node* fused = graph.insertNode(pass.own && has_own_linear(*constant_tensor(linear->input(1)),
                                                            constant_tensor(linear->input(2)))
                                     ? own_linear_node(pass, linear, activation, other)
                                     : linear_node(pass, linear, activation, other));
  fused->output()->setType(c10::TensorType::get());
  last->output()->replaceAllUsesWith(fused->output());
  if (last != linear) {
    last->destroy();
  }
  remove_linear(linear);
  pass.count("linear", 1);
}

}  // namespace

void fuse_linears(PassContext& pass) {
  for (Node* node : packable_linears(*pass.graph)) {
    pack(pass, node);
  }
}

}  // namespace longhaul::torch_room
