// The graph passes that put this program's CPU operators (fused_operators.hpp) into a frozen graph,
// one file each, named as the function. They change numbers by rounding only; the caller checks
// golden vectors afterwards. The encoding thread.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "kernels/isa.hpp"

namespace longhaul::torch_room {

// What the input of each convolution measures: rows x channels x height x width; empty where that
// is not known.
using InputSizes = std::vector<std::vector<std::int64_t>>;

struct PassContext {
  std::shared_ptr<torch::jit::Graph> graph;
  const InputSizes& sizes;                           // of packable_convolutions(), or none
  kernels::Isa isa;                                  // what our kernels will use
  bool own;                                          // our products and norms too
  nlohmann::json counts = nlohmann::json::object();  // how many of what were found

  void count(const char* what, std::size_t number) {
    counts[what] = counts.value(what, std::size_t{0}) + number;
  }
  torch::jit::Value* isa_constant() const {
    return graph->insertConstant(static_cast<std::int64_t>(isa));
  }
};

void merge_linears(PassContext& pass);
void fuse_linears(PassContext& pass);
void fuse_rotations(PassContext& pass);
void fuse_norms(PassContext& pass);
void fuse_attention(PassContext& pass);
void fuse_convolutions(PassContext& pass);

// The convolutions on the CPU whose weights can be packed.
std::vector<torch::jit::Node*> packable_convolutions(torch::jit::Graph& graph);

}  // namespace longhaul::torch_room
