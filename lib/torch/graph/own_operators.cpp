#include "torch/graph/own_operators.hpp"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/csrc/jit/runtime/custom_operator.h>
#include <torch/csrc/jit/runtime/operator.h>

#include "kernels/linear.hpp"
#include "kernels/norm.hpp"
#include "torch/graph/operator_arguments.hpp"

namespace longhaul::torch_room {
namespace {

using kernels::Bfloat16;
using torch::jit::Operator;
using torch::jit::Stack;
using OptionalTensor = std::optional<at::Tensor>;

Bfloat16* numbers_of(const at::Tensor& tensor) {
  return static_cast<Bfloat16*>(tensor.data_ptr());
}

kernels::Activation activation_of(const std::string& name) {
  return name == "gelu"        ? kernels::Activation::kGelu
         : name == "gelu_tanh" ? kernels::Activation::kGeluTanh
         : name == "relu"      ? kernels::Activation::kRelu
                               : kernels::Activation::kNone;
}

void run_own_linear(Stack& stack) {
  RECORD_FUNCTION("longhaul::own_linear", c10::ArrayRef<const c10::IValue>{});
  const kernels::Isa isa = pop_isa(stack);
  const std::int64_t outputs = torch::jit::pop(stack).toInt();
  const OptionalTensor other = torch::jit::pop(stack).toOptional<at::Tensor>();
  const std::string activation = torch::jit::pop(stack).toStringRef();
  const OptionalTensor bias = torch::jit::pop(stack).toOptional<at::Tensor>();
  const at::Tensor packed = torch::jit::pop(stack).toTensor();
  const at::Tensor x = torch::jit::pop(stack).toTensor();
  torch::jit::push(stack, own_linear(isa, x, packed, bias, activation, other, outputs));
}

void run_own_norm(Stack& stack) {
  RECORD_FUNCTION("longhaul::own_norm", c10::ArrayRef<const c10::IValue>{});
  const kernels::Isa isa = pop_isa(stack);
  const double epsilon = torch::jit::pop(stack).toDouble();
  const at::Tensor bias = torch::jit::pop(stack).toTensor();
  const at::Tensor weight = torch::jit::pop(stack).toTensor();
  const at::Tensor x = torch::jit::pop(stack).toTensor();
  torch::jit::push(stack, own_norm(isa, x, weight, bias, epsilon));
}

}  // namespace

void register_own_operators() {
  static const bool registered = [] {
    const auto by_schema = c10::AliasAnalysisKind::FROM_SCHEMA;
    torch::jit::registerOperator(
        Operator("longhaul::own_linear(Tensor x, Tensor packed, Tensor? bias, str activation, "
                 "Tensor? other, int outputs, int isa) -> Tensor",
                 run_own_linear, by_schema));
    torch::jit::registerOperator(Operator(
        "longhaul::own_norm(Tensor x, Tensor weight, Tensor bias, float epsilon, int isa) -> "
        "Tensor",
        run_own_norm, by_schema));
    return true;
  }();
  static_cast<void>(registered);
}

bool has_own_linear(const at::Tensor& weight, const OptionalTensor& bias) {
  const bool fits = !bias || (bias->dim() == 1 && bias->size(0) == weight.size(0));
  return fits && weight.is_cpu() && weight.scalar_type() == c10::kBFloat16 && weight.dim() == 2 &&
         weight.size(1) > 0 && weight.size(1) % 2 == 0;
}

at::Tensor pack_own_weight(const at::Tensor& weight) {
  const at::Tensor rows = weight.contiguous();
  const at::Tensor packed =
      at::empty({kernels::packed_size(rows.size(0), rows.size(1))}, rows.options());
  kernels::pack_linear(numbers_of(rows), rows.size(0), rows.size(1), numbers_of(packed));
  return packed;
}

at::Tensor own_linear(kernels::Isa isa, const at::Tensor& x, const at::Tensor& packed,
                      const OptionalTensor& bias, const std::string& activation,
                      const OptionalTensor& other, std::int64_t outputs) {
  TORCH_CHECK(x.scalar_type() == c10::kBFloat16 && x.dim() > 0 &&
                  packed.numel() == kernels::packed_size(outputs, x.size(-1)),
              "a linear layer of ", packed.numel(), " packed numbers and ", outputs,
              " outputs does not take ", x.scalar_type(), " of ", x.sizes());
  const at::Tensor input = x.contiguous();
  std::vector<std::int64_t> sizes = input.sizes().vec();
  sizes.back() = outputs;
  const at::Tensor out = at::empty(sizes, input.options());
  kernels::LinearTask task;
  task.inputs = input.size(-1);
  task.outputs = outputs;
  task.rows = input.numel() / task.inputs;
  task.x = numbers_of(input);
  task.x_row = task.inputs;
  task.packed = numbers_of(packed);
  task.bias = bias ? bias->const_data_ptr<float>() : nullptr;
  task.out = numbers_of(out);
  task.activation = activation_of(activation);
  at::Tensor sum;  // keeps a copy alive
  const bool same = other && is_like_result(*other, input, outputs);
  if (same) {
    sum = other->contiguous();
    task.other = numbers_of(sum);
  }
  const auto& kernel = kernels::implementation_for<kernels::LinearTask>(isa);
  at::parallel_for(0, kernels::output_blocks(task), 1,
                   [&](std::int64_t first, std::int64_t last) { kernel.run(task, first, last); });
  return other && !same ? out.add(*other) : out;
}

at::Tensor own_norm(kernels::Isa isa, const at::Tensor& x, const at::Tensor& weight,
                    const at::Tensor& bias, double epsilon) {
  TORCH_CHECK(x.scalar_type() == c10::kBFloat16 && x.dim() > 0 && x.size(-1) == weight.numel(),
              "a layer norm over ", weight.numel(), " numbers does not take ", x.scalar_type(),
              " of ", x.sizes());
  const at::Tensor input = x.contiguous();
  const at::Tensor out = at::empty_like(input);
  kernels::NormTask task;
  task.x = numbers_of(input);
  task.weight = weight.const_data_ptr<float>();
  task.bias = bias.const_data_ptr<float>();
  task.out = numbers_of(out);
  task.width = input.size(-1);
  task.epsilon = static_cast<float>(epsilon);
  const auto& kernel = kernels::implementation_for<kernels::NormTask>(isa);
  at::parallel_for(0, input.numel() / task.width, 16,
                   [&](std::int64_t first, std::int64_t last) { kernel.run(task, first, last); });
  return out;
}

}  // namespace longhaul::torch_room
