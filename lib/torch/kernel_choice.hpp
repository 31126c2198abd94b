// Which CPU kernels a model runs with: LibTorch's own ("mkl") or the fused oneDNN ones ("onednn").
// The encoding thread; measures with the threads that are set.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "torch/fused_graph.hpp"

namespace longhaul {

struct KernelChoice {
  std::string kernels = "mkl";
  nlohmann::json probe;  // GFLOP/s of both, when they were measured
};

// `wanted` is auto, onednn or mkl. auto times products of the model's own shapes, a fraction of a
// second in all; without any, `convolutions` are reason enough for onednn, which LibTorch runs them
// with in any case. onednn where it cannot be had falls back to mkl.
KernelChoice choose_kernels(const std::string& wanted, const std::vector<LinearShape>& shapes,
                            bool convolutions);

// How many times as long products take in `type` as in float32, on the heaviest shape. Nothing
// where the processor has instructions for `type`, or where there are no products.
std::optional<double> slowdown_without_support(c10::ScalarType type,
                                               const std::vector<LinearShape>& shapes);

}  // namespace longhaul
