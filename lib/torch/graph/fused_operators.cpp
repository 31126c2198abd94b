#include "torch/graph/fused_operators.hpp"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/csrc/jit/runtime/custom_operator.h>
#include <torch/csrc/jit/runtime/operator.h>

#include <cmath>
#include <limits>

#include "kernels/attention.hpp"
#include "kernels/rotation.hpp"
#include "torch/graph/find_operator.hpp"
#include "torch/graph/operator_arguments.hpp"
#include "torch/graph/packed_convolution.hpp"

namespace longhaul::torch_room {
namespace {

using torch::jit::Operator;
using torch::jit::Stack;
using OptionalTensor = std::optional<at::Tensor>;

bool says_yes(const char* question) {
  const auto schema = c10::Dispatcher::singleton().findSchema({question, ""});
  return schema && schema->typed<bool()>().call();
}

using PackSignature = at::Tensor(const at::Tensor&, std::optional<c10::SymInt>);
using LinearSignature = at::Tensor(const at::Tensor&, const at::Tensor&, const OptionalTensor&,
                                   c10::string_view, c10::List<std::optional<at::Scalar>>,
                                   std::optional<c10::string_view>);
using LinearAddSignature = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                      const OptionalTensor&, c10::string_view);

at::Tensor linear_with_activation(const at::Tensor& input, const at::Tensor& packed,
                                  const OptionalTensor& bias, const std::string& activation) {
  static const auto linear = find_operator<LinearSignature>("mkldnn::_linear_pointwise", "");
  const c10::List<std::optional<at::Scalar>> no_scalars;
  if (activation == "gelu") {
    return linear.call(input, packed, bias, "gelu", no_scalars, "none");
  }
  if (activation == "gelu_tanh") {
    return linear.call(input, packed, bias, "gelu", no_scalars, "tanh");
  }
  return linear.call(input, packed, bias, activation, no_scalars, "");
}

template <typename T>
kernels::States<T> states_of(const at::Tensor& tensor) {
  auto* data = static_cast<std::remove_const_t<T>*>(tensor.data_ptr());
  return {data, tensor.stride(0), tensor.stride(1), tensor.stride(2)};
}

// What is added to the scores, rows x keys in float32; nothing when the mask has another form.
OptionalTensor bias_of(const at::Tensor& mask, const at::Tensor& query, const at::Tensor& key) {
  if (mask.dim() != 4 || mask.size(1) != 1 || mask.size(2) != 1 || mask.size(3) != key.size(2) ||
      (mask.size(0) != 1 && mask.size(0) != query.size(0))) {
    return std::nullopt;
  }
  const at::Tensor rows = mask.view({mask.size(0), mask.size(3)});
  if (mask.scalar_type() == c10::kBool) {
    return at::zeros(rows.sizes(), c10::kFloat)
        .masked_fill_(rows.logical_not(), -std::numeric_limits<float>::infinity());
  }
  return mask.is_floating_point() ? OptionalTensor(rows.to(c10::kFloat).contiguous())
                                  : std::nullopt;
}

bool kernel_applies(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  const c10::ScalarType type = query.scalar_type();
  if (type != c10::kFloat && type != c10::kBFloat16) {
    return false;
  }
  for (const at::Tensor* states : {&query, &key, &value}) {
    if (!states->is_cpu() || states->dim() != 4 || states->scalar_type() != type ||
        states->size(0) != query.size(0) || states->size(1) != query.size(1) ||
        states->size(3) != query.size(3) || states->stride(3) != 1) {
      return false;
    }
  }
  return key.size(2) == value.size(2) && key.size(2) > 0;
}

template <typename T>
at::Tensor run_attention_kernel(kernels::Isa isa, const at::Tensor& query, const at::Tensor& key,
                                const at::Tensor& value, const OptionalTensor& bias, double scale) {
  const std::int64_t rows = query.size(0);
  const std::int64_t heads = query.size(1);
  // Laid out as [rows, tokens, heads, width]: merging the heads afterwards copies nothing.
  const at::Tensor out =
      at::empty({rows, query.size(2), heads, query.size(3)}, query.options()).transpose(1, 2);
  kernels::AttentionTask<T> task;
  task.query = states_of<const T>(query);
  task.key = states_of<const T>(key);
  task.value = states_of<const T>(value);
  task.out = states_of<T>(out);
  if (bias) {
    task.bias = bias->const_data_ptr<float>();
    task.bias_row = bias->size(0) == 1 ? 0 : bias->stride(0);
  }
  task.heads = heads;
  task.queries = query.size(2);
  task.keys = key.size(2);
  task.width = query.size(3);
  task.scale = static_cast<float>(scale);
  at::parallel_for(0, rows * heads, 1, [&](std::int64_t first, std::int64_t last) {
    kernels::attend(isa, task, first, last);
  });
  return out;
}

// x: [rows, heads, tokens, width] by strides; cos and sin: [tokens, width], contiguous.
template <typename T>
at::Tensor run_rotation_kernel(kernels::Isa isa, const at::Tensor& x, const at::Tensor& cos,
                               const at::Tensor& sin) {
  // Laid out as [rows, tokens, heads, width]: as the products give and take it.
  const at::Tensor turned = at::empty({x.size(0), x.size(2), x.size(1), x.size(3)}, x.options());
  kernels::RotationTask<T> task;
  task.x = states_of<const T>(x);
  task.cos = static_cast<const T*>(cos.const_data_ptr());
  task.sin = static_cast<const T*>(sin.const_data_ptr());
  task.out = static_cast<T*>(turned.data_ptr());
  task.heads = x.size(1);
  task.tokens = x.size(2);
  task.width = x.size(3);
  at::parallel_for(0, x.size(0) * task.tokens, 1, [&](std::int64_t first, std::int64_t last) {
    kernels::rotate(isa, task, first, last);
  });
  return turned.transpose(1, 2);
}

bool rotates_at_once(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const auto is_table = [&](const at::Tensor& table) {
    return table.is_cpu() && table.scalar_type() == x.scalar_type() && table.dim() == 2 &&
           table.size(0) == x.size(2) && table.size(1) == x.size(3) && table.is_contiguous();
  };
  return x.is_cpu() && x.dim() == 4 && x.size(3) % 2 == 0 && x.stride(3) == 1 && is_table(cos) &&
         is_table(sin);
}

void run_rotation(Stack& stack) {
  RECORD_FUNCTION("longhaul::rotation", c10::ArrayRef<const c10::IValue>{});
  const kernels::Isa isa = pop_isa(stack);
  const at::Tensor sin = torch::jit::pop(stack).toTensor();
  const at::Tensor cos = torch::jit::pop(stack).toTensor();
  const at::Tensor x = torch::jit::pop(stack).toTensor();
  torch::jit::push(stack, fused_rotation(isa, x, cos, sin));
}

void run_linear(Stack& stack) {
  RECORD_FUNCTION("longhaul::linear", c10::ArrayRef<const c10::IValue>{});
  OptionalTensor other = torch::jit::pop(stack).toOptional<at::Tensor>();
  const std::string activation = torch::jit::pop(stack).toStringRef();
  const OptionalTensor bias = torch::jit::pop(stack).toOptional<at::Tensor>();
  const at::Tensor packed = torch::jit::pop(stack).toTensor();
  const at::Tensor input = torch::jit::pop(stack).toTensor();
  torch::jit::push(stack, packed_linear(input, packed, bias, activation, other));
}

void run_attention(Stack& stack) {
  RECORD_FUNCTION("longhaul::attention", c10::ArrayRef<const c10::IValue>{});
  const kernels::Isa isa = pop_isa(stack);
  const auto scale = torch::jit::pop(stack).toOptional<double>();
  const OptionalTensor mask = torch::jit::pop(stack).toOptional<at::Tensor>();
  const at::Tensor value = torch::jit::pop(stack).toTensor();
  const at::Tensor key = torch::jit::pop(stack).toTensor();
  const at::Tensor query = torch::jit::pop(stack).toTensor();
  torch::jit::push(stack, fused_attention(isa, query, key, value, mask, scale));
}

}  // namespace

void register_fused_operators() {
  register_packed_convolution();
  static const bool registered = [] {
    const auto by_schema = c10::AliasAnalysisKind::FROM_SCHEMA;
    torch::jit::registerOperator(Operator(
        "longhaul::linear(Tensor x, Tensor packed, Tensor? bias, str activation, Tensor? other) -> "
        "Tensor",
        run_linear, by_schema));
    torch::jit::registerOperator(
        Operator("longhaul::attention(Tensor query, Tensor key, Tensor value, Tensor? mask, float? "
                 "scale, int "
                 "isa) -> Tensor",
                 run_attention, by_schema));
    torch::jit::registerOperator(
        Operator("longhaul::rotation(Tensor x, Tensor cos, Tensor sin, int isa) -> Tensor",
                 run_rotation, by_schema));
    return true;
  }();
  static_cast<void>(registered);
}

bool has_packed_linear(c10::ScalarType type) {
  auto& dispatcher = c10::Dispatcher::singleton();
  for (const char* name : {"mkldnn::_linear_pointwise", "mkldnn::_reorder_linear_weight"}) {
    if (!dispatcher.findSchema({name, ""})) {
      return false;
    }
  }
  if (!dispatcher.findSchema({"mkldnn::_linear_pointwise", "binary"}) || !at::hasMKLDNN()) {
    return false;
  }
  // Without its instructions oneDNN refuses a half-precision type.
  switch (type) {
    case c10::kFloat:
      return true;
    case c10::kBFloat16:
      return says_yes("mkldnn::_is_mkldnn_bf16_supported");
    case c10::kHalf:
      return says_yes("mkldnn::_is_mkldnn_fp16_supported");
    default:
      return false;
  }
}

at::Tensor pack_weight(const at::Tensor& weight, std::int64_t rows) {
  static const auto pack = find_operator<PackSignature>("mkldnn::_reorder_linear_weight", "");
  return pack.call(weight.contiguous(), c10::SymInt(rows));
}

at::Tensor packed_linear(const at::Tensor& input, const at::Tensor& packed,
                         const OptionalTensor& bias, const std::string& activation,
                         const OptionalTensor& other) {
  if (!other) {
    return linear_with_activation(input, packed, bias, activation);
  }
  static const auto linear_add =
      find_operator<LinearAddSignature>("mkldnn::_linear_pointwise", "binary");
  if (activation == "none" && is_like_result(*other, input, packed.size(0))) {
    return linear_add.call(input, other->contiguous(), packed, bias, "add");
  }
  return linear_with_activation(input, packed, bias, activation).add(*other);
}

at::Tensor fused_rotation(kernels::Isa isa, const at::Tensor& x, const at::Tensor& cos,
                          const at::Tensor& sin) {
  if (rotates_at_once(x, cos, sin)) {
    if (x.scalar_type() == c10::kFloat) {
      return run_rotation_kernel<float>(isa, x, cos, sin);
    }
    if (x.scalar_type() == c10::kBFloat16) {
      return run_rotation_kernel<kernels::Bfloat16>(isa, x, cos, sin);
    }
  }
  const std::vector<at::Tensor> halves = x.chunk(2, -1);
  return x * cos + at::cat({-halves.at(1), halves.at(0)}, -1) * sin;
}

at::Tensor fused_attention(kernels::Isa isa, const at::Tensor& query, const at::Tensor& key,
                           const at::Tensor& value, const OptionalTensor& mask,
                           std::optional<double> scale) {
  if (kernel_applies(query, key, value)) {
    const OptionalTensor bias = mask ? bias_of(*mask, query, key) : std::nullopt;
    if (bias.has_value() == mask.has_value()) {
      const double factor = scale.value_or(1.0 / std::sqrt(static_cast<double>(query.size(3))));
      return query.scalar_type() == c10::kFloat
                 ? run_attention_kernel<float>(isa, query, key, value, bias, factor)
                 : run_attention_kernel<kernels::Bfloat16>(isa, query, key, value, bias, factor);
    }
  }
  return at::scaled_dot_product_attention(query, key, value, mask, 0.0, false, scale);
}

}  // namespace longhaul::torch_room
