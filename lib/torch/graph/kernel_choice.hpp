// Which CPU kernels a model runs with: LibTorch's own ("mkl"), the fused oneDNN ones ("onednn"), or
// those with our products and norms ("own").
// By a table of what the processor and the model have, never by a clock: the choice moves the last
// bits, and two equal machines must make the same one. `longhaul bench` measures.
// The encoding thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernels/isa.hpp"
#include "torch/graph/linear_nodes.hpp"

namespace longhaul::torch_room {

// `wanted` is auto, onednn, own or mkl; but for the last, fused ones wherever they can be had:
//   bfloat16 products that `isa` has; own is wanted         own
//   the same; auto is wanted, and no matrix units (AMX)     own
//   products of a type that this processor's oneDNN takes   onednn
//   no products, but convolutions                           onednn, as LibTorch runs them anyway
//   neither                                                 mkl
// With matrix units oneDNN's products are the faster ones.
std::string choose_kernels(const std::string& wanted, const std::vector<LinearShape>& shapes,
                           bool convolutions, kernels::Isa isa);

// How many times as long products take in `type` as in float32, on the heaviest shape. Nothing
// where the processor has instructions for `type`, or where there are no products.
std::optional<double> slowdown_without_support(c10::ScalarType type,
                                               const std::vector<LinearShape>& shapes);

}  // namespace longhaul::torch_room
