#include "torch/graph/packed_convolution.hpp"

#include <ATen/record_function.h>
#include <torch/csrc/jit/runtime/custom_operator.h>
#include <torch/csrc/jit/runtime/operator.h>

#include "torch/graph/find_operator.hpp"
#include "torch/graph/fused_operators.hpp"

namespace longhaul::torch_room {
namespace {

using torch::jit::Operator;
using torch::jit::Stack;
using OptionalTensor = std::optional<at::Tensor>;
using Scalars = c10::List<std::optional<at::Scalar>>;
using OptionalName = std::optional<c10::string_view>;

constexpr const char* kPack = "mkldnn::_reorder_convolution_weight";
constexpr const char* kConvolve = "mkldnn::_convolution_pointwise";

using PackSignature = at::Tensor(const at::Tensor&, at::IntArrayRef, at::IntArrayRef,
                                 at::IntArrayRef, std::int64_t, at::OptionalIntArrayRef);
using ConvolveSignature = at::Tensor(const at::Tensor&, const at::Tensor&, const OptionalTensor&,
                                     at::IntArrayRef, at::IntArrayRef, at::IntArrayRef,
                                     std::int64_t, c10::string_view, Scalars, OptionalName);
using ConvolveAddSignature = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                        const OptionalTensor&, at::IntArrayRef, at::IntArrayRef,
                                        at::IntArrayRef, std::int64_t, c10::string_view,
                                        std::optional<at::Scalar>, OptionalName, Scalars,
                                        OptionalName);

// The sum is fused where the other operand has the result's own shape.
bool has_result_shape(const at::Tensor& other, const at::Tensor& input, const at::Tensor& packed,
                      const ConvolutionSteps& steps) {
  bool same = other.dim() == 4 && other.scalar_type() == input.scalar_type() &&
              other.size(0) == input.size(0) && other.size(1) == packed.size(0);
  for (std::size_t d = 0; same && d < 2; ++d) {
    const auto axis = static_cast<std::int64_t>(d) + 2;
    const std::int64_t reach = steps.dilation[d] * (packed.size(axis) - 1);
    same = other.size(axis) ==
           (input.size(axis) + 2 * steps.padding[d] - reach - 1) / steps.stride[d] + 1;
  }
  return same;
}

void run_convolution(Stack& stack) {
  RECORD_FUNCTION("longhaul::convolution", c10::ArrayRef<const c10::IValue>{});
  const OptionalTensor other = torch::jit::pop(stack).toOptional<at::Tensor>();
  const std::string activation = torch::jit::pop(stack).toStringRef();
  ConvolutionSteps steps;
  steps.groups = torch::jit::pop(stack).toInt();
  steps.dilation = torch::jit::pop(stack).toIntVector();
  steps.padding = torch::jit::pop(stack).toIntVector();
  steps.stride = torch::jit::pop(stack).toIntVector();
  const OptionalTensor bias = torch::jit::pop(stack).toOptional<at::Tensor>();
  const at::Tensor packed = torch::jit::pop(stack).toTensor();
  const at::Tensor input = torch::jit::pop(stack).toTensor();
  torch::jit::push(stack, packed_convolution(input, packed, bias, steps, activation, other));
}

}  // namespace

void register_packed_convolution() {
  static const bool registered = [] {
    torch::jit::registerOperator(Operator(
        "longhaul::convolution(Tensor x, Tensor packed, Tensor? bias, int[] stride, int[] padding, "
        "int[] dilation, int groups, str activation, Tensor? other) -> Tensor",
        run_convolution, c10::AliasAnalysisKind::FROM_SCHEMA));
    return true;
  }();
  static_cast<void>(registered);
}

bool has_packed_convolution(c10::ScalarType type) {
  auto& dispatcher = c10::Dispatcher::singleton();
  return has_packed_linear(type) && dispatcher.findSchema({kPack, ""}) &&
         dispatcher.findSchema({kConvolve, ""}) && dispatcher.findSchema({kConvolve, "binary"});
}

at::Tensor pack_filter(const at::Tensor& weight, const ConvolutionSteps& steps,
                       const std::vector<std::int64_t>& input_size) {
  static const auto pack = find_operator<PackSignature>(kPack, "");
  return pack.call(weight.contiguous(), steps.padding, steps.stride, steps.dilation, steps.groups,
                   input_size.size() == 4 ? at::OptionalIntArrayRef(input_size) : std::nullopt);
}

at::Tensor packed_convolution(const at::Tensor& input, const at::Tensor& packed,
                              const OptionalTensor& bias, const ConvolutionSteps& steps,
                              const std::string& activation, const OptionalTensor& other) {
  const bool batched = input.dim() == 4;
  if (other && batched && has_result_shape(*other, input, packed, steps)) {
    static const auto convolve_add = find_operator<ConvolveAddSignature>(kConvolve, "binary");
    const OptionalName unary = activation == "relu" ? OptionalName("relu") : std::nullopt;
    return convolve_add.call(input, *other, packed, bias, steps.padding, steps.stride,
                             steps.dilation, steps.groups, "add", at::Scalar(1), unary, Scalars(),
                             std::nullopt);
  }
  static const auto convolve = find_operator<ConvolveSignature>(kConvolve, "");
  const at::Tensor of_batch =
      convolve.call(batched ? input : input.unsqueeze(0), packed, bias, steps.padding, steps.stride,
                    steps.dilation, steps.groups, other ? "none" : activation, Scalars(), "");
  const at::Tensor result = batched ? of_batch : of_batch.squeeze(0);
  if (!other) {
    return result;
  }
  const at::Tensor sum = result + *other;
  return activation == "relu" ? sum.relu() : sum;
}

}  // namespace longhaul::torch_room
