#include "torch/graph/kernel_choice.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "torch/graph/fused_operators.hpp"

namespace longhaul::torch_room {
namespace {

constexpr std::int64_t kProbeRows = 64;

template <typename Function>
double seconds(Function function) {
  const auto start = std::chrono::steady_clock::now();
  function();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double work(const LinearShape& shape) {
  return static_cast<double>(shape.count) * static_cast<double>(shape.inputs) *
         static_cast<double>(shape.outputs);
}

}  // namespace

std::string choose_kernels(const std::string& wanted, const std::vector<LinearShape>& shapes,
                           bool convolutions, kernels::Isa isa) {
  const bool ours =
      !shapes.empty() && shapes.front().type == c10::kBFloat16 && isa == kernels::Isa::kAvx512Bf16;
  if (ours && (wanted == "own" || (wanted == "auto" && !kernels::has_matrix_units()))) {
    return "own";
  }
  const bool products = !shapes.empty() && has_packed_linear(shapes.front().type);
  return wanted == "mkl" || (!products && !convolutions) ? "mkl" : "onednn";
}

std::optional<double> slowdown_without_support(c10::ScalarType type,
                                               const std::vector<LinearShape>& shapes) {
  if (has_packed_linear(type) || shapes.empty()) {
    return std::nullopt;
  }
  const LinearShape shape = *std::max_element(
      shapes.begin(), shapes.end(),
      [](const LinearShape& left, const LinearShape& right) { return work(left) < work(right); });
  const at::Tensor input = at::ones({kProbeRows, shape.inputs});
  const at::Tensor weight = at::ones({shape.outputs, shape.inputs});
  const at::Tensor half_input = input.to(type);
  const at::Tensor half_weight = weight.to(type);
  double exact = std::numeric_limits<double>::max();
  double half = exact;
  for (int round = 0; round < 2; ++round) {
    exact = std::min(exact, seconds([&] { at::linear(input, weight); }));
    half = std::min(half, seconds([&] { at::linear(half_input, half_weight); }));
  }
  return half / exact;
}

}  // namespace longhaul::torch_room
