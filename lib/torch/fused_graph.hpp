// The graph pass that puts this program's CPU operators (fused_operators.hpp) into a frozen graph:
// linear layers that share an input become one, weights are packed once, gelu and residual sums are
// fused into the products, rotary positions are one pass, attention runs in our kernel, the weights
// of convolutions are packed (fused_convolutions.hpp). Weights that are packed are released. The
// encoding thread. Numbers change by rounding only; the caller checks golden vectors afterwards.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "kernels/isa.hpp"
#include "torch/fused_convolutions.hpp"

namespace longhaul::torch_room {

// Sizes of the linear layers with constant weights, of any device, as a batch meets them.
struct LinearShape {
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
  std::int64_t count = 0;
  c10::ScalarType type{};
};
std::vector<LinearShape> linear_shapes(torch::jit::Graph& graph);

// Turns what is computed in place into what gives new tensors, where that is the same, so that an
// operand is the same wherever it is read. Nodes may change places.
void remove_mutation(const std::shared_ptr<torch::jit::Graph>& graph);

// After remove_mutation(). {"linear": 48, "merged": 24, "gelu": 8, "add": 16, "attention": 8}: how
// many of each were found. `sizes` as fuse_convolutions() takes them.
// `isa` is what our kernels will use.
nlohmann::json fuse_graph(const std::shared_ptr<torch::jit::Graph>& graph, const InputSizes& sizes,
                          kernels::Isa isa = kernels::best_isa());

}  // namespace longhaul::torch_room
