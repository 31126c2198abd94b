#include "torch/fused_graph.hpp"

#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/remove_mutation.h>

#include <algorithm>
#include <map>
#include <utility>

#include "torch/fused_operators.hpp"
#include "torch/graph_nodes.hpp"

namespace longhaul::torch_room {
namespace {

using torch::jit::AliasDb;
using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::IValue;
using torch::jit::Node;
using torch::jit::Value;
namespace aten = torch::jit::aten;
namespace prim = torch::jit::prim;
namespace attr = torch::jit::attr;

// Rows of input that weights are packed for: a batch of the size that suits a CPU's caches.
constexpr std::int64_t kPackedRows = 1024;

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

std::vector<Node*> packable_linears(Graph& graph) {
  std::vector<Node*> nodes;
  collect(graph.block(), aten::linear, nodes);
  std::erase_if(nodes, [](const Node* node) { return !is_packable(node); });
  return nodes;
}

class Fuser {
 public:
  Fuser(std::shared_ptr<Graph> graph, const InputSizes& sizes, kernels::Isa isa)
      : graph_(std::move(graph)), sizes_(sizes), isa_(isa) {}

  nlohmann::json run() {
    merge_siblings();
    for (Node* node : packable_linears(*graph_)) {
      pack(node);
    }
    fuse_rotations();
    fuse_attention();
    fuse_convolutions(*graph_, sizes_, counts_);
    torch::jit::EliminateDeadCode(graph_);
    return counts_;
  }

 private:
  // Layers of one block that read the same input (query, key and value) become one product, cut
  // afterwards without copying.
  void merge_siblings() {
    const AliasDb aliases(graph_);
    std::map<std::pair<Block*, Value*>, std::vector<Node*>> groups;
    std::vector<std::pair<Block*, Value*>> order;
    for (Node* node : packable_linears(*graph_)) {
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
        merge(group);
      }
    }
  }

  void merge(const std::vector<Node*>& group) {
    std::vector<at::Tensor> weights;
    std::vector<at::Tensor> biases;
    for (const Node* node : group) {
      weights.push_back(*constant_tensor(node->input(1)));
      if (!is_none(node->input(2))) {
        biases.push_back(*constant_tensor(node->input(2)));
      }
    }
    torch::jit::WithInsertPoint guard(group[0]);
    Value* weight = insert_tensor(*graph_, at::cat(weights));
    Value* bias =
        biases.empty() ? graph_->insertConstant(IValue()) : insert_tensor(*graph_, at::cat(biases));
    Value* wide = graph_->insert(aten::linear, {group[0]->input(0), weight, bias});
    std::int64_t start = 0;
    for (std::size_t i = 0; i < group.size(); ++i) {
      const std::int64_t end = start + weights[i].size(0);
      Value* part = graph_->insert(aten::slice, {wide, -1, start, end, 1});
      group[i]->output()->replaceAllUsesWith(part);
      start = end;
    }
    std::for_each(group.begin(), group.end(), remove);
    count("merged", group.size());
  }

  // Removes a linear whose output is no longer used, and its weights with it.
  static void remove(Node* node) {
    Value* weight = node->input(1);
    Value* bias = node->input(2);
    node->destroy();
    destroy_if_unused(weight);
    if (bias != weight) {
      destroy_if_unused(bias);
    }
  }

  void pack(Node* linear) {
    Node* last = linear;  // the node whose output the new one takes over
    const std::string activation = fused_activation(linear, last);
    Value* other = nullptr;
    if (const auto sum = activation == "none" ? residual_of(linear) : std::nullopt) {
      last = sum->sum;
      other = sum->other;
      count("add", 1);
    }
    torch::jit::WithInsertPoint guard(last);
    Value* weight =
        insert_tensor(*graph_, pack_weight(*constant_tensor(linear->input(1)), kPackedRows));
    Value* bias = contiguous_constant(*graph_, linear->input(2));
    Value* none = graph_->insertConstant(IValue());
    Node* fused = graph_->insertNode(
        graph_->create(c10::Symbol::fromQualString("longhaul::linear"),
                       {linear->input(0), weight, bias, graph_->insertConstant(activation),
                        other == nullptr ? none : other}));
    fused->output()->setType(c10::TensorType::get());
    last->output()->replaceAllUsesWith(fused->output());
    if (last != linear) {
      last->destroy();
    }
    remove(linear);
    count("linear", 1);
  }

  std::string fused_activation(Node* linear, Node*& last) {
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
      count(activation.substr(0, 4).c_str(), 1);
    }
    return activation;
  }

  // Rotary positions as they are usually written: x * cos + cat(-second half, first half) * sin.
  void fuse_rotations() {
    std::vector<Node*> sums;
    collect(graph_->block(), aten::add, sums);
    for (Node* sum : sums) {
      const std::optional<Rotation> found = rotation_of(sum);
      if (!found) {
        continue;
      }
      torch::jit::WithInsertPoint guard(sum);
      Node* fused =
          graph_->insertNode(graph_->create(c10::Symbol::fromQualString("longhaul::rotation"),
                                            {found->x, found->cos, found->sin, isa_constant()}));
      fused->output()->setType(c10::TensorType::get());
      sum->output()->replaceAllUsesWith(fused->output());
      sum->destroy();
      count("rotation", 1);
    }
  }

  struct Rotation {
    Value* x = nullptr;
    Value* cos = nullptr;
    Value* sin = nullptr;
  };

  static bool is_int(const Value* value, std::int64_t wanted) {
    const auto constant = torch::jit::toIValue(value);
    return constant && constant->isInt() && constant->toInt() == wanted;
  }

  static std::optional<Rotation> rotation_of(const Node* sum) {
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

  void fuse_attention() {
    std::vector<Node*> nodes;
    collect(graph_->block(), aten::scaled_dot_product_attention, nodes);
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
      Value* scale = node->inputs().size() > 6 ? node->input(6) : graph_->insertConstant(IValue());
      Node* fused = graph_->insertNode(graph_->create(
          c10::Symbol::fromQualString("longhaul::attention"),
          {node->input(0), node->input(1), node->input(2), node->input(3), scale, isa_constant()}));
      fused->output()->setType(c10::TensorType::get());
      node->output()->replaceAllUsesWith(fused->output());
      node->destroy();
      count("attention", 1);
    }
  }

  Value* isa_constant() { return graph_->insertConstant(static_cast<std::int64_t>(isa_)); }

  void count(const char* what, std::size_t number) {
    counts_[what] = counts_.value(what, std::size_t{0}) + number;
  }

  std::shared_ptr<Graph> graph_;
  const InputSizes& sizes_;
  kernels::Isa isa_;
  nlohmann::json counts_ = nlohmann::json::object();
};

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

void remove_mutation(const std::shared_ptr<Graph>& graph) {
  torch::jit::RemoveTensorMutation(graph);
}

nlohmann::json fuse_graph(const std::shared_ptr<Graph>& graph, const InputSizes& sizes,
                          kernels::Isa isa) {
  register_fused_operators();
  return Fuser(graph, sizes, isa).run();
}

}  // namespace longhaul::torch_room
