// Runs the graph passes (graph_passes.hpp) over a frozen graph, in their order. The encoding
// thread.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "encode/encoder.hpp"
#include "kernels/isa.hpp"
#include "torch/graph/graph_passes.hpp"

namespace longhaul::torch_room {

// Turns what is computed in place into what gives new tensors, where that is the same, so that an
// operand is the same wherever it is read. Nodes may change places.
void remove_mutation(const std::shared_ptr<torch::jit::Graph>& graph);

// An earlier session's choice, else what is asked for: names of passes with commas between, in the
// order they run in, or none. Error(kUsage) where a name is of no pass.
std::string choose_passes(const encode::EncoderOptions& options);

// After remove_mutation(). {"linear": 48, "merged": 24, "gelu": 8, "add": 16, "attention": 8}: how
// many of each were found by the passes named. `own`: with our products and norms, where there are
// some of the type (own_operators.hpp).
nlohmann::json fuse_graph(const std::shared_ptr<torch::jit::Graph>& graph,
                          const std::string& passes, const InputSizes& sizes, kernels::Isa isa,
                          bool own);

}  // namespace longhaul::torch_room
