// longhaul::convolution(x, packed weight, bias?, stride, padding, dilation, groups, activation,
// other?): a convolution by oneDNN with its weights packed once, a residual sum and relu in the
// same pass over the result. LibTorch's own packs the weights at every call, and with one thread
// leaves filters of one pixel to MKL.
#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <string>
#include <vector>

namespace longhaul::torch_room {

// Of a convolution in two dimensions, each for height and width.
struct ConvolutionSteps {
  std::vector<std::int64_t> stride;
  std::vector<std::int64_t> padding;
  std::vector<std::int64_t> dilation;
  std::int64_t groups = 1;
};

void register_packed_convolution();

// True when this LibTorch and this processor have what it needs for `type`.
bool has_packed_convolution(c10::ScalarType type);

// A weight, outputs x inputs / groups x height x width, in oneDNN's layout for an input of this
// size, or of any where it is empty, and the threads that are set.
at::Tensor pack_filter(const at::Tensor& weight, const ConvolutionSteps& steps,
                       const std::vector<std::int64_t>& input_size);

// activation: "none" or "relu", of the sum with `other` where there is one.
at::Tensor packed_convolution(const at::Tensor& input, const at::Tensor& packed,
                              const std::optional<at::Tensor>& bias, const ConvolutionSteps& steps,
                              const std::string& activation,
                              const std::optional<at::Tensor>& other);

}  // namespace longhaul::torch_room
