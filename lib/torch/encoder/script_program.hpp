// A TorchScript archive, and one method of it as a frozen graph that runs without its module.
// The encoding thread. A file that is no archive, a method that is absent or takes other inputs:
// Error(kBadData).
#pragma once

#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace longhaul::torch_room {

// Loads onto `device` in evaluation mode. Loading runs code of the archive: it is a program.
torch::jit::Module load_module(const std::string& path, c10::Device device);

std::uint64_t count_parameters(const torch::jit::Module& module);
std::vector<std::string> method_names(const torch::jit::Module& module);

class ScriptProgram {
 public:
  // Freezes `method` of `module`; `module` itself is left as it is and may be dropped. `inputs` is
  // how many tensors the method will be given; defaults fill the rest.
  ScriptProgram(const torch::jit::Module& module, const std::string& method, std::size_t inputs);

  torch::jit::IValue run(const std::vector<at::Tensor>& inputs);

  // What is observed in such a run: the outputs that `add_outputs` gives to a copy of the graph.
  std::vector<torch::jit::IValue> observe(
      const std::function<void(torch::jit::Graph&)>& add_outputs,
      const std::vector<at::Tensor>& inputs) const;
  // What the first inputs of some nodes of the graph's outermost block measure in such a run. The
  // nodes are chosen from a copy of the graph.
  std::vector<std::vector<std::int64_t>> input_sizes(
      const std::function<std::vector<torch::jit::Node*>(torch::jit::Graph&)>& choose,
      const std::vector<at::Tensor>& inputs) const;

  // False when the module would not freeze and runs as it was loaded.
  bool frozen() const { return frozen_; }
  const std::shared_ptr<torch::jit::Graph>& graph() const { return graph_; }
  // Lets a pass change the graph. What was compiled from it goes first: it holds the weights that
  // the pass wants to give back.
  void change(const std::function<void(const std::shared_ptr<torch::jit::Graph>&)>& pass);

 private:
  void compile();
  torch::jit::Stack stack_of(const std::vector<at::Tensor>& inputs) const;

  std::shared_ptr<torch::jit::Graph> graph_;
  std::optional<torch::jit::GraphExecutor> executor_;
  std::optional<torch::jit::IValue> self_;  // when the graph still reads attributes
  std::vector<torch::jit::IValue> defaults_;
  bool frozen_ = true;
};

}  // namespace longhaul::torch_room
