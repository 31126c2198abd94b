#include "torch/encoder/convert_dtype.hpp"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <algorithm>
#include <array>

#include "torch/graph/graph_nodes.hpp"

namespace longhaul::torch_room {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::IValue;
using torch::jit::Node;
using torch::jit::Value;

// Where the type of the result stands among the inputs of what makes or casts a tensor.
std::optional<std::size_t> place_of_type(const Node* node) {
  const torch::jit::FunctionSchema* schema = node->maybeSchema();
  const auto place = schema != nullptr ? schema->argumentIndexWithName("dtype") : std::nullopt;
  return place ? std::optional<std::size_t>(static_cast<std::size_t>(*place)) : std::nullopt;
}

bool asks_for_float32(const Node* node) {
  const auto place = place_of_type(node);
  const auto type =
      place ? torch::jit::constant_as<std::int64_t>(node->input(*place)) : std::nullopt;
  return type && *type == static_cast<std::int64_t>(c10::kFloat);
}

bool is_cast(const Node* node) {
  return node->kind() == torch::jit::aten::to && asks_for_float32(node);
}

bool makes_one_number(const Node* node) {
  static const std::array<c10::Symbol, 9> kMakers{
      torch::jit::aten::zeros,      torch::jit::aten::ones,      torch::jit::aten::full,
      torch::jit::aten::zeros_like, torch::jit::aten::ones_like, torch::jit::aten::full_like,
      torch::jit::aten::new_zeros,  torch::jit::aten::new_ones,  torch::jit::aten::new_full};
  return std::find(kMakers.begin(), kMakers.end(), node->kind()) != kMakers.end() &&
         asks_for_float32(node);
}

// Casts of the outermost block, where all of a trace is.
std::vector<Node*> casts_of(Graph& graph) {
  std::vector<Node*> casts;
  for (Node* node : graph.nodes()) {
    if (is_cast(node)) {
      casts.push_back(node);
    }
  }
  return casts;
}

// Float32 already, or a mask: numbers that every type has.
bool may_follow(const IValue& source) {
  if (!source.isTensor()) {
    return false;
  }
  const at::Tensor& tensor = source.toTensor();
  if (tensor.scalar_type() == c10::kFloat || tensor.scalar_type() == c10::kBool) {
    return true;
  }
  return !tensor.is_floating_point() && tensor.numel() > 0 &&
         tensor.min().item<std::int64_t>() >= 0 && tensor.max().item<std::int64_t>() <= 1;
}

void set_type(Graph& graph, Node* node, c10::ScalarType type) {
  const torch::jit::WithInsertPoint before(node);
  node->replaceInput(*place_of_type(node), graph.insertConstant(type));
}

void convert_nodes(Graph& graph, Block* block, c10::ScalarType type) {
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) {
      convert_nodes(graph, inner, type);
    }
    if (makes_one_number(node)) {
      set_type(graph, node, type);
    }
    const auto constant =
        node->kind() == torch::jit::prim::Constant ? constant_tensor(node->output()) : std::nullopt;
    // A number without dimensions leaves the type of what it meets.
    if (constant && constant->scalar_type() == c10::kFloat && constant->dim() > 0) {
      const torch::jit::WithInsertPoint before(node);
      node->output()->replaceAllUsesWith(insert_tensor(graph, constant->to(type)));
    }
  }
}

}  // namespace

void convert_weights(const torch::jit::Module& module, c10::ScalarType type) {
  const auto convert = [&](at::Tensor tensor) {
    if (tensor.is_floating_point()) {
      tensor.set_data(tensor.to(type));
    }
  };
  for (const at::Tensor& parameter : module.parameters()) {
    convert(parameter);
  }
  for (const at::Tensor& buffer : module.buffers()) {
    convert(buffer);
  }
}

void convert_types(ScriptProgram& program, c10::ScalarType type,
                   const std::vector<at::Tensor>& inputs) {
  const std::vector<IValue> sources = program.observe(
      [](Graph& graph) {
        for (Node* cast : casts_of(graph)) {
          graph.registerOutput(cast->input(0));
        }
      },
      inputs);
  program.change([&](const std::shared_ptr<Graph>& graph) {
    const std::vector<Node*> casts = casts_of(*graph);
    for (std::size_t i = 0; i < casts.size(); ++i) {
      if (may_follow(sources[i])) {
        set_type(*graph, casts[i], type);
      }
    }
    convert_nodes(*graph, graph->block(), type);
    torch::jit::EliminateDeadCode(graph);
  });
}

}  // namespace longhaul::torch_room
