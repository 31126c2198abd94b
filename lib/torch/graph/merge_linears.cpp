// Linear layers of one block that read the same input (query, key and value) become one product,
// cut afterwards without copying.
#include <torch/csrc/jit/ir/alias_analysis.h>

#include <algorithm>
#include <map>
#include <utility>

#include "torch/graph/graph_nodes.hpp"
#include "torch/graph/graph_passes.hpp"
#include "torch/graph/linear_nodes.hpp"

namespace longhaul::torch_room {
namespace {

using torch::jit::AliasDb;
using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::IValue;
using torch::jit::Node;
using torch::jit::Value;
namespace aten = torch::jit::aten;

void merge(Graph& graph, const std::vector<Node*>& group) {
  std::vector<at::Tensor> weights;
  std::vector<at::Tensor> biases;
  for (const Node* node : group) {
    weights.push_back(*constant_tensor(node->input(1)));
    if (!is_none(node->input(2))) {
      biases.push_back(*constant_tensor(node->input(2)));
    }
  }
  torch::jit::WithInsertPoint guard(group[0]);
  Value* weight = insert_tensor(graph, at::cat(weights));
  Value* bias =
      biases.empty() ? graph.insertConstant(IValue()) : insert_tensor(graph, at::cat(biases));
  Value* wide = graph.insert(aten::linear, {group[0]->input(0), weight, bias});
  std::int64_t start = 0;
  for (std::size_t i = 0; i < group.size(); ++i) {
    const std::int64_t end = start + weights[i].size(0);
    Value* part = graph.insert(aten::slice, {wide, -1, start, end, 1});
    group[i]->output()->replaceAllUsesWith(part);
    start = end;
  }
  std::for_each(group.begin(), group.end(), remove_linear);
}

}  // namespace

void merge_linears(PassContext& pass) {
  const AliasDb aliases(pass.graph);
  std::map<std::pair<Block*, Value*>, std::vector<Node*>> groups;
  std::vector<std::pair<Block*, Value*>> order;
  for (Node* node : packable_linears(*pass.graph)) {
    if (aliases.hasWriters(node->input(0))) {
      continue;  // written in place in between: not the same input
    }
    const auto key = std::make_pair(node->owningBlock(), node->input(0));
    if (groups[key].empty()) {
      order.push_back(key);
    }
    groups[key].push_back(node);
  }
  for (const auto& key : order) {
    const std::vector<Node*>& group = groups[key];
    const bool alike = std::all_of(group.begin(), group.end(), [&](const Node* node) {
      return is_none(node->input(2)) == is_none(group[0]->input(2)) &&
             constant_tensor(node->input(1))->scalar_type() ==
                 constant_tensor(group[0]->input(1))->scalar_type();
    });
    if (group.size() > 1 && alike) {
      merge(*pass.graph, group);
      pass.count("merged", group.size());
    }
  }
}

}  // namespace longhaul::torch_room
