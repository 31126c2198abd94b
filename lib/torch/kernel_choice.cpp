#include "torch/kernel_choice.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "torch/fused_operators.hpp"

namespace longhaul {
namespace {

constexpr std::int64_t kProbeRows = 512;
constexpr int kProbeRounds = 4;
constexpr std::size_t kMostShapes = 4;
// Below this gain the plain kernels stay: fewer moving parts.
constexpr double kWorthwhile = 0.97;

template <typename Function>
double seconds(Function function) {
  const auto start = std::chrono::steady_clock::now();
  function();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct Timing {
  double plain = std::numeric_limits<double>::max();
  double packed = std::numeric_limits<double>::max();
};

// The best of a few rounds, taken in turns so that both meet the same disturbances.
Timing time_shape(const LinearShape& shape) {
  const at::Tensor input = at::rand({kProbeRows, shape.inputs}).to(shape.type);
  const at::Tensor weight = at::rand({shape.outputs, shape.inputs}).to(shape.type);
  const at::Tensor bias = at::rand({shape.outputs}).to(shape.type);
  const at::Tensor packed = pack_weight(weight, kProbeRows);
  Timing timing;
  for (int round = 0; round < kProbeRounds; ++round) {
    timing.plain = std::min(timing.plain, seconds([&] { at::linear(input, weight, bias); }));
    timing.packed = std::min(
        timing.packed, seconds([&] { packed_linear(input, packed, bias, "none", std::nullopt); }));
  }
  return timing;
}

double work(const LinearShape& shape) {
  return static_cast<double>(shape.count) * static_cast<double>(shape.inputs) *
         static_cast<double>(shape.outputs);
}

std::vector<LinearShape> heaviest_of(std::vector<LinearShape> shapes) {
  std::sort(shapes.begin(), shapes.end(), [](const LinearShape& left, const LinearShape& right) {
    return work(left) > work(right);
  });
  shapes.resize(std::min(shapes.size(), kMostShapes));
  return shapes;
}

}  // namespace

KernelChoice choose_kernels(const std::string& wanted, const std::vector<LinearShape>& shapes) {
  KernelChoice choice;
  if (wanted == "mkl" || shapes.empty() || !has_packed_linear(shapes.front().type)) {
    return choice;
  }
  if (wanted == "onednn") {
    choice.kernels = "onednn";
    return choice;
  }
  const std::vector<LinearShape> heaviest = heaviest_of(shapes);
  double plain = 0;
  double packed = 0;
  double operations = 0;
  for (const LinearShape& shape : heaviest) {
    const Timing timing = time_shape(shape);
    plain += timing.plain * static_cast<double>(shape.count);
    packed += timing.packed * static_cast<double>(shape.count);
    operations += 2.0 * kProbeRows * work(shape);
  }
  choice.kernels = packed < kWorthwhile * plain ? "onednn" : "mkl";
  choice.probe = {{"mkl_gflops", operations / plain / 1e9},
                  {"onednn_gflops", operations / packed / 1e9}};
  return choice;
}

std::optional<double> slowdown_without_support(c10::ScalarType type,
                                               const std::vector<LinearShape>& shapes) {
  if (has_packed_linear(type) || shapes.empty()) {
    return std::nullopt;
  }
  const LinearShape shape = heaviest_of(shapes).front();
  const at::Tensor input = at::rand({kProbeRows / 8, shape.inputs});
  const at::Tensor weight = at::rand({shape.outputs, shape.inputs});
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

}  // namespace longhaul
