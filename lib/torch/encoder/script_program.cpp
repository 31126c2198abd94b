#include "torch/encoder/script_program.hpp"

#include <torch/csrc/jit/passes/freeze_module.h>
#include <torch/csrc/jit/passes/frozen_graph_optimizations.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/passes/tensorexpr_fuser.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "torch/process/torch_errors.hpp"

namespace longhaul::torch_room {
namespace {

using torch::jit::IValue;
using torch::jit::Module;

constexpr const char* kGraphName = "longhaul_encoder";

// The executor's own fuser hangs on some builds of LibTorch, and exceptions lose their type.
void set_up_interpreter() {
  FLAGS_torch_jit_enable_rethrow_caught_exception = true;
  torch::jit::setTensorExprFuserEnabled(false);
}

std::vector<IValue> default_arguments(const c10::FunctionSchema& schema, std::size_t inputs,
                                      const std::string& method) {
  const auto& arguments = schema.arguments();  // the first is the module itself
  if (arguments.size() < inputs + 1) {
    throw Error(ExitCode::kBadData,
                "the model's method '" + method + "' takes " +
                    std::to_string(arguments.size() - 1) + " inputs; the card lists " +
                    std::to_string(inputs),
                "correct the card's inputs");
  }
  std::vector<IValue> defaults;
  for (std::size_t i = inputs + 1; i < arguments.size(); ++i) {
    if (!arguments[i].default_value()) {
      throw Error(ExitCode::kBadData,
                  "the model's method '" + method + "' also needs '" + arguments[i].name() +
                      "', which the card's inputs do not give",
                  "correct the card's inputs");
    }
    defaults.push_back(*arguments[i].default_value());
  }
  return defaults;
}

}  // namespace

Module load_module(const std::string& path, c10::Device device) {
  set_up_interpreter();
  try {
    Module module = torch::jit::load(path, device, /*load_debug_files=*/false);
    module.eval();
    return module;
  } catch (const std::exception& failure) {
    throw cannot_be_read(path, failure);
  }
}

std::uint64_t count_parameters(const Module& module) {
  std::uint64_t count = 0;
  for (const at::Tensor& parameter : module.parameters()) {
    count += static_cast<std::uint64_t>(parameter.numel());
  }
  return count;
}

std::vector<std::string> method_names(const Module& module) {
  std::vector<std::string> names;
  for (const torch::jit::Method& method : module.get_methods()) {
    if (!method.name().starts_with("__")) {
      names.push_back(method.name());
    }
  }
  return names;
}

ScriptProgram::ScriptProgram(const Module& module, const std::string& method, std::size_t inputs) {
  const auto found = module.find_method(method);
  if (!found) {
    throw Error(
        ExitCode::kBadData,
        "the model has no method '" + method + "'; it has " + join(method_names(module), ", "),
        "correct the card's method");
  }
  defaults_ = default_arguments(found->function().getSchema(), inputs, method);
  Module source = module;
  try {
    source = torch::jit::freeze_module(module, {method});
  } catch (const c10::Error&) {
    frozen_ = false;  // some modules change their own attributes; they run as they are
  }
  graph_ = source.get_method(method).graph()->copy();
  if (frozen_) {
    torch::jit::OptimizeFrozenGraph(graph_);
  } else {
    torch::jit::Inline(*graph_);
  }
  if (graph_->inputs().at(0)->hasUses()) {
    self_ = source._ivalue();
  } else {
    graph_->eraseInput(0);
  }
  compile();
}

void ScriptProgram::change(
    const std::function<void(const std::shared_ptr<torch::jit::Graph>&)>& pass) {
  executor_.reset();
  pass(graph_);
  compile();
}

void ScriptProgram::compile() {
  // The simple executor compiles once. The profiling one specialises per shape: slow first calls,
  // and memory that grows with the number of shapes.
  executor_.emplace(graph_, kGraphName, torch::jit::ExecutorExecutionMode::SIMPLE);
}

torch::jit::Stack ScriptProgram::stack_of(const std::vector<at::Tensor>& inputs) const {
  torch::jit::Stack stack;
  stack.reserve(inputs.size() + defaults_.size() + 1);
  if (self_) {
    stack.push_back(*self_);
  }
  stack.insert(stack.end(), inputs.begin(), inputs.end());
  stack.insert(stack.end(), defaults_.begin(), defaults_.end());
  return stack;
}

std::vector<IValue> ScriptProgram::observe(
    const std::function<void(torch::jit::Graph&)>& add_outputs,
    const std::vector<at::Tensor>& inputs) const {
  const std::shared_ptr<torch::jit::Graph> graph = graph_->copy();
  const std::size_t own = graph->outputs().size();
  add_outputs(*graph);
  torch::jit::GraphExecutor executor(graph, kGraphName, torch::jit::ExecutorExecutionMode::SIMPLE);
  torch::jit::Stack stack = stack_of(inputs);
  executor.run(stack);
  stack.erase(stack.begin(), stack.begin() + static_cast<std::ptrdiff_t>(own));
  return stack;
}

std::vector<std::vector<std::int64_t>> ScriptProgram::input_sizes(
    const std::function<std::vector<torch::jit::Node*>(torch::jit::Graph&)>& choose,
    const std::vector<at::Tensor>& inputs) const {
  std::vector<std::vector<std::int64_t>> sizes;
  std::vector<std::size_t> places;
  const std::vector<IValue> observed = observe(
      [&](torch::jit::Graph& graph) {
        for (torch::jit::Node* node : choose(graph)) {
          if (node->owningBlock() == graph.block()) {
            const torch::jit::WithInsertPoint guard(node);
            graph.registerOutput(graph.insert(torch::jit::aten::size, {node->input(0)}));
            places.push_back(sizes.size());
          }
          sizes.emplace_back();
        }
      },
      inputs);
  for (std::size_t i = 0; i < places.size(); ++i) {
    sizes[places[i]] = observed[i].toIntVector();
  }
  return sizes;
}

IValue ScriptProgram::run(const std::vector<at::Tensor>& inputs) {
  torch::jit::Stack stack = stack_of(inputs);
  executor_->run(stack);
  if (stack.empty()) {
    return {};
  }
  IValue result = std::move(stack.back());
  return result;
}

}  // namespace longhaul::torch_room
