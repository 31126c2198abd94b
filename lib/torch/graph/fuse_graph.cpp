#include "torch/graph/fuse_graph.hpp"

#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/remove_mutation.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "torch/graph/fused_operators.hpp"
#include "torch/graph/own_operators.hpp"

namespace longhaul::torch_room {
namespace {

struct GraphPass {
  const char* name;
  void (*run)(PassContext&);
};

constexpr std::array kPasses = {
    GraphPass{"merge", &merge_linears},           GraphPass{"linear", &fuse_linears},
    GraphPass{"rotation", &fuse_rotations},       GraphPass{"attention", &fuse_attention},
    GraphPass{"convolution", &fuse_convolutions}, GraphPass{"norm", &fuse_norms},
};

std::vector<std::string> words_of(std::string_view list) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    words.emplace_back(list.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

}  // namespace

void remove_mutation(const std::shared_ptr<torch::jit::Graph>& graph) {
  torch::jit::RemoveTensorMutation(graph);
}

std::string choose_passes(const encode::EncoderOptions& options) {
  const std::string list = options.chosen_before("passes").value_or(options.cpu_passes);
  std::vector<std::string> wanted = words_of(list == "none" ? "" : list);
  std::erase(wanted, "");
  std::vector<std::string> all;
  std::vector<std::string> chosen;
  for (const GraphPass& pass : kPasses) {
    all.emplace_back(pass.name);
    if (std::erase(wanted, pass.name) > 0 || list == "all") {
      chosen.emplace_back(pass.name);
    }
  }
  if (list != "all" && !wanted.empty()) {
    throw Error(ExitCode::kUsage, "--cpu-passes: '" + wanted.front() + "' is no pass",
                "use all, none, or some of " + join(all, ","));
  }
  return chosen.empty() ? "none" : join(chosen, ",");
}

nlohmann::json fuse_graph(const std::shared_ptr<torch::jit::Graph>& graph,
                          const std::string& passes, const InputSizes& sizes, kernels::Isa isa,
                          bool own) {
  register_fused_operators();
  register_own_operators();
  PassContext context{graph, sizes, isa, own};
  const std::vector<std::string> chosen = words_of(passes);
  for (const GraphPass& pass : kPasses) {
    if (std::ranges::find(chosen, pass.name) != chosen.end()) {
      pass.run(context);
    }
  }
  torch::jit::EliminateDeadCode(graph);
  return std::move(context.counts);
}

}  // namespace longhaul::torch_room
