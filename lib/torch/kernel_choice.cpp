#include "torch/kernel_choice.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "torch/fused_operators.hpp"

namespace longhaul {
namespace {

constexpr std::int64_t kProbeRows = 256;
constexpr int kFewestRounds = 2;  // the first pays for its shape
constexpr int kMostRounds = 6;
constexpr std::size_t kMostShapes = 4;
// The choice moves the last bits, so a near tie must not be settled by noise: the packed kernels,
// whose fusions a probe of single products does not see, are left only where they are this much
// slower, twice in a row.
constexpr double kClearlySlower = 1.5;
// Smaller products are over before a clock can compare them; what counts there is the fusions.
constexpr double kWorthProbing = 256 * 256;  // inputs x outputs

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

// The best of a few rounds, taken in turns so that both meet the same disturbances; of more while
// the packed kernels look slower.
Timing time_shape(const LinearShape& shape) {
  const at::TensorOptions type(shape.type);
  const at::Tensor input = at::ones({kProbeRows, shape.inputs}, type);
  const at::Tensor weight = at::ones({shape.outputs, shape.inputs}, type);
  const at::Tensor bias = at::ones({shape.outputs}, type);
  const at::Tensor packed = pack_weight(weight, kProbeRows);
  Timing timing;
  for (int round = 0;
       round < kFewestRounds || (round < kMostRounds && timing.packed > timing.plain); ++round) {
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

struct Comparison {
  double plain = 0;   // seconds
  double packed = 0;  // seconds
  double operations = 0;
};

Comparison compare(const std::vector<LinearShape>& shapes) {
  Comparison all;
  for (const LinearShape& shape : shapes) {
    const Timing timing = time_shape(shape);
    all.plain += timing.plain * static_cast<double>(shape.count);
    all.packed += timing.packed * static_cast<double>(shape.count);
    all.operations += 2.0 * kProbeRows * work(shape);
  }
  return all;
}

std::vector<LinearShape> heaviest_of(std::vector<LinearShape> shapes) {
  std::sort(shapes.begin(), shapes.end(), [](const LinearShape& left, const LinearShape& right) {
    return work(left) > work(right);
  });
  shapes.resize(std::min(shapes.size(), kMostShapes));
  return shapes;
}

}  // namespace

KernelChoice choose_kernels(const std::string& wanted, const std::vector<LinearShape>& shapes,
                            bool convolutions) {
  KernelChoice choice;
  const bool products = !shapes.empty() && has_packed_linear(shapes.front().type);
  if (wanted == "mkl" || (!products && !convolutions)) {
    return choice;
  }
  if (wanted == "onednn" || !products) {
    choice.kernels = "onednn";
    return choice;
  }
  const std::vector<LinearShape> heaviest = heaviest_of(shapes);
  if (std::none_of(heaviest.begin(), heaviest.end(), [](const LinearShape& shape) {
        return static_cast<double>(shape.inputs) * static_cast<double>(shape.outputs) >=
               kWorthProbing;
      })) {
    choice.kernels = "onednn";
    return choice;
  }
  choice.kernels = "mkl";
  for (int attempt = 0; attempt < 2 && choice.kernels == "mkl"; ++attempt) {
    const Comparison seen = compare(heaviest);
    choice.kernels = seen.packed <= kClearlySlower * seen.plain ? "onednn" : "mkl";
    choice.probe = {{"mkl_gflops", seen.operations / seen.plain / 1e9},
                    {"onednn_gflops", seen.operations / seen.packed / 1e9}};
  }
  return choice;
}

std::optional<double> slowdown_without_support(c10::ScalarType type,
                                               const std::vector<LinearShape>& shapes) {
  if (has_packed_linear(type) || shapes.empty()) {
    return std::nullopt;
  }
  const LinearShape shape = heaviest_of(shapes).front();
  const at::Tensor input = at::ones({kProbeRows / 4, shape.inputs});
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

}  // namespace longhaul
