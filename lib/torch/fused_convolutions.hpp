// The part of the graph pass (fused_graph.hpp) that packs the weights of convolutions, and fuses
// residual sums and relu into them. The encoding thread.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace longhaul::torch_room {

// The convolutions on the CPU whose weights can be packed.
std::vector<torch::jit::Node*> packable_convolutions(torch::jit::Graph& graph);

// What the input of each measures: rows x channels x height x width; empty where that is not known.
using InputSizes = std::vector<std::vector<std::int64_t>>;

// `sizes` are of packable_convolutions(), or none; the best layout of a weight depends on them and
// on the number of threads, and a weight in another one is packed anew at every call. Adds to
// `counts` how many there were: "convolution", "add", "relu".
void fuse_convolutions(torch::jit::Graph& graph, const InputSizes& sizes, nlohmann::json& counts);

}  // namespace longhaul::torch_room
