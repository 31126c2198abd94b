#include "torch/graph/operation_times.hpp"

#include <ATen/record_function.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longhaul::torch_room {
namespace {

using Clock = std::chrono::steady_clock;

struct Spent {
  std::uint64_t calls = 0;
  Clock::duration own{};
};

// LibTorch calls plain functions, from any thread.
std::mutex guard;
std::map<std::string, Spent> spent;  // by operator

struct Frame : at::ObserverContext {
  Frame* outer = nullptr;
  Clock::time_point start;
  Clock::duration inner{};  // in the operators that it called
};
thread_local Frame* innermost = nullptr;

std::unique_ptr<at::ObserverContext> enter(const at::RecordFunction&) {
  auto frame = std::make_unique<Frame>();
  frame->outer = std::exchange(innermost, frame.get());
  frame->start = Clock::now();
  return frame;
}

void leave(const at::RecordFunction& function, at::ObserverContext* context) {
  auto* const frame = static_cast<Frame*>(context);
  const Clock::duration took = Clock::now() - frame->start;
  innermost = frame->outer;
  if (innermost != nullptr) {
    innermost->inner += took;
  }
  const std::lock_guard lock(guard);
  Spent& of = spent[function.name()];
  ++of.calls;
  of.own += took - frame->inner;
}

// Names without their namespace and underscores: "aten::_softmax" is softmax.
constexpr std::array<std::pair<std::string_view, std::string_view>, 62> kKinds{{
    {"linear", "products"},
    {"linear_pointwise", "products"},
    {"own_linear", "products"},
    {"matmul", "products"},
    {"mm", "products"},
    {"bmm", "products"},
    {"addmm", "products"},
    {"baddbmm", "products"},
    {"mkldnn_linear", "products"},
    {"conv1d", "products"},
    {"conv2d", "products"},
    {"convolution", "products"},
    {"convolution_pointwise", "products"},
    {"mkldnn_convolution", "products"},
    {"thnn_conv2d", "products"},
    {"slow_conv2d_forward", "products"},
    {"attention", "attention"},
    {"rotation", "attention"},
    {"softmax", "attention"},
    {"scaled_dot_product_attention", "attention"},
    {"scaled_dot_product_flash_attention_for_cpu", "attention"},
    {"scaled_dot_product_attention_math", "attention"},
    {"native_multi_head_attention", "attention"},
    {"own_norm", "norm"},
    {"layer_norm", "norm"},
    {"native_layer_norm", "norm"},
    {"batch_norm", "norm"},
    {"batch_norm_impl_index", "norm"},
    {"native_batch_norm", "norm"},
    {"group_norm", "norm"},
    {"rms_norm", "norm"},
    {"gelu", "elementwise"},
    {"relu", "elementwise"},
    {"silu", "elementwise"},
    {"sigmoid", "elementwise"},
    {"tanh", "elementwise"},
    {"add", "elementwise"},
    {"add_", "elementwise"},
    {"sub", "elementwise"},
    {"rsub", "elementwise"},
    {"mul", "elementwise"},
    {"mul_", "elementwise"},
    {"div", "elementwise"},
    {"div_", "elementwise"},
    {"pow", "elementwise"},
    {"rsqrt", "elementwise"},
    {"mean", "elementwise"},
    {"sum", "elementwise"},
    {"masked_fill", "elementwise"},
    {"masked_fill_", "elementwise"},
    {"where", "elementwise"},
    {"max_pool2d", "elementwise"},
    {"copy_", "copies"},
    {"to", "copies"},
    {"to_copy", "copies"},
    {"clone", "copies"},
    {"contiguous", "copies"},
    {"reshape", "copies"},
    {"cat", "copies"},
    {"index_select", "copies"},
    {"embedding", "copies"},
    {"reorder_linear_weight", "copies"},
}};

std::string_view kind_of(std::string_view name) {
  if (const std::size_t space = name.rfind("::"); space != std::string_view::npos) {
    name.remove_prefix(space + 2);
  }
  while (name.starts_with('_')) {
    name.remove_prefix(1);
  }
  const auto* const found =
      std::ranges::find(kKinds, name, &std::pair<std::string_view, std::string_view>::first);
  return found == kKinds.end() ? "other" : found->second;
}

double seconds(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

nlohmann::json operation_times(const std::function<void()>& work) {
  {
    const std::lock_guard lock(guard);
    spent.clear();
  }
  const at::CallbackHandle handle = at::addGlobalCallback(
      at::RecordFunctionCallback(&enter, &leave).scopes({at::RecordScope::FUNCTION}));
  try {
    work();
  } catch (...) {
    at::removeCallback(handle);
    throw;
  }
  at::removeCallback(handle);

  const std::lock_guard lock(guard);
  std::vector<std::pair<std::string, Spent>> operators(spent.begin(), spent.end());
  std::ranges::sort(operators, std::greater(), [](const auto& entry) { return entry.second.own; });
  std::map<std::string_view, double> kinds;
  nlohmann::json listed = nlohmann::json::array();
  double total = 0;
  for (const auto& [name, of] : operators) {
    const std::string_view kind = kind_of(name);
    kinds[kind] += seconds(of.own);
    total += seconds(of.own);
    listed.push_back(
        {{"name", name}, {"kind", kind}, {"calls", of.calls}, {"seconds", seconds(of.own)}});
  }
  std::vector<std::pair<std::string_view, double>> sorted(kinds.begin(), kinds.end());
  std::ranges::sort(sorted, std::greater(), [](const auto& entry) { return entry.second; });
  nlohmann::json by_kind = nlohmann::json::array();
  for (const auto& [kind, of] : sorted) {
    by_kind.push_back({{"kind", kind}, {"seconds", of}});
  }
  return {{"seconds", total}, {"kinds", std::move(by_kind)}, {"operators", std::move(listed)}};
}

}  // namespace longhaul::torch_room
