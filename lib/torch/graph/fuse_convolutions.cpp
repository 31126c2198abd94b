// Weights of convolutions are packed as oneDNN wants them; residual sums and relu are fused into
// them. The best layout of a weight depends on the size of the input and on the number of threads,
// and a weight in another one is packed anew at every call.
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "torch/graph/fused_operators.hpp"
#include "torch/graph/graph_nodes.hpp"
#include "torch/graph/graph_passes.hpp"
#include "torch/graph/packed_convolution.hpp"

namespace longhaul::torch_room {
namespace {

using torch::jit::Graph;
using torch::jit::IValue;
using torch::jit::Node;
using torch::jit::Value;
namespace aten = torch::jit::aten;

// The weight stays with the node: it is given back as soon as it is packed.
struct Found {
  Node* node = nullptr;
  ConvolutionSteps steps;
};

// One number for both dimensions, or one for each.
std::optional<std::vector<std::int64_t>> two_numbers(const Value* value) {
  const auto constant = torch::jit::toIValue(value);
  if (!constant || !constant->isIntList()) {
    return std::nullopt;
  }
  std::vector<std::int64_t> numbers = constant->toIntVector();
  if (numbers.size() == 1) {
    numbers.push_back(numbers[0]);
  }
  return numbers.size() == 2 ? std::optional(std::move(numbers)) : std::nullopt;
}

// conv2d(x, weight, bias, stride, padding, dilation, groups), or as tracing writes it:
// _convolution(x, weight, bias, stride, padding, dilation, transposed, output padding, groups,
// ...).
std::optional<Found> packable(Node* node) {
  const bool traced = node->kind() == aten::_convolution;
  if (node->inputs().size() < (traced ? 9 : 7)) {
    return std::nullopt;
  }
  const auto weight = constant_tensor(node->input(1));
  const bool bias_known = is_none(node->input(2)) || constant_tensor(node->input(2));
  const auto stride = two_numbers(node->input(3));
  const auto padding = two_numbers(node->input(4));
  const auto dilation = two_numbers(node->input(5));
  const auto transposed =
      traced ? torch::jit::toIValue(node->input(6)) : std::optional<IValue>(IValue(false));
  const auto groups = torch::jit::toIValue(node->input(traced ? 8 : 6));
  if (!weight || weight->dim() != 4 || !weight->is_cpu() || weight->layout() != c10::kStrided ||
      !has_packed_convolution(weight->scalar_type()) || !bias_known || !stride || !padding ||
      !dilation || !transposed || transposed->toBool() || !groups || !groups->isInt()) {
    return std::nullopt;
  }
  return Found{node, {*stride, *padding, *dilation, groups->toInt()}};
}

std::vector<Found> find_convolutions(Graph& graph) {
  std::vector<Node*> nodes;
  collect(graph.block(), aten::conv2d, nodes);
  collect(graph.block(), aten::_convolution, nodes);
  std::vector<Found> all;
  for (Node* node : nodes) {
    if (std::optional<Found> found = packable(node)) {
      all.push_back(std::move(*found));
    }
  }
  return all;
}

void pack(PassContext& pass, const Found& found, const std::vector<std::int64_t>& input_size) {
  Graph& graph = *pass.graph;
  Node* convolution = found.node;
  std::vector<Node*> replaced = {convolution};  // the new one takes over the last one's output
  Value* other = nullptr;
  if (const auto residual = residual_of(convolution)) {
    replaced.push_back(residual->sum);
    other = residual->other;
    pass.count("add", 1);
  }
  std::string activation = "none";
  if (Node* user = only_user(replaced.back()); user != nullptr && user->kind() == aten::relu) {
    replaced.push_back(user);
    activation = "relu";
    pass.count("relu", 1);
  }
  Value* weight = convolution->input(1);
  Value* bias = convolution->input(2);
  torch::jit::WithInsertPoint guard(replaced.back());
  Value* none = graph.insertConstant(IValue());
  Value* packed =
      insert_tensor(graph, pack_filter(*constant_tensor(weight), found.steps, input_size));
  Node* fused = graph.insertNode(graph.create(
      c10::Symbol::fromQualString("longhaul::convolution"),
      {convolution->input(0), packed, contiguous_constant(graph, bias),
       graph.insertConstant(found.steps.stride), graph.insertConstant(found.steps.padding),
       graph.insertConstant(found.steps.dilation), graph.insertConstant(found.steps.groups),
       graph.insertConstant(activation), other == nullptr ? none : other}));
  fused->output()->setType(c10::TensorType::get());
  replaced.back()->output()->replaceAllUsesWith(fused->output());
  std::for_each(replaced.rbegin(), replaced.rend(), [](Node* node) { node->destroy(); });
  destroy_if_unused(weight);
  destroy_if_unused(bias);
  pass.count("convolution", 1);
}

}  // namespace

std::vector<Node*> packable_convolutions(Graph& graph) {
  std::vector<Node*> nodes;
  for (const Found& found : find_convolutions(graph)) {
    nodes.push_back(found.node);
  }
  return nodes;
}

void fuse_convolutions(PassContext& pass) {
  const std::vector<Found> all = find_convolutions(*pass.graph);
  for (std::size_t i = 0; i < all.size(); ++i) {
    pack(pass, all[i],
         pass.sizes.size() == all.size() ? pass.sizes[i] : std::vector<std::int64_t>());
  }
}

}  // namespace longhaul::torch_room
