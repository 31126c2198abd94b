#include <algorithm>
#include <cmath>

#include "kernels/forms.hpp"
#include "kernels/gelu.hpp"
#include "kernels/lanes.hpp"
#include "kernels/linear.hpp"

namespace longhaul::kernels {
namespace {

float gelu(const GeluFit& fit, float x) {
  const float t = std::clamp(x, -fit.limit, fit.limit);
  float p = 0;
  for (int i = 9; i >= 0; --i) {
    p = p * (t * t) + fit.coefficients[i];
  }
  return x * (0.5F + t * p);
}

float activated(Activation activation, float x) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return x < 0 ? 0 : x;
    case Activation::kGelu:
      return gelu(kGelu, x);
    case Activation::kGeluTanh:
      return gelu(kGeluTanh, x);
  }
  return x;
}

}  // namespace

std::int64_t packed_size(std::int64_t outputs, std::int64_t inputs) {
  return rounded_up(outputs, kOutputBlock) * inputs;
}

std::int64_t output_blocks(const LinearTask& task) {
  return rounded_up(task.outputs, kOutputBlock) / kOutputBlock;
}

void pack_linear(const Bfloat16* weight, std::int64_t outputs, std::int64_t inputs,
                 Bfloat16* packed) {
  for (std::int64_t block = 0; block < outputs; block += kOutputBlock) {
    for (std::int64_t input = 0; input < inputs; input += 2) {
      for (std::int64_t o = block; o < block + kOutputBlock; ++o, packed += 2) {
        packed[0] = o < outputs ? weight[o * inputs + input] : Bfloat16{};
        packed[1] = o < outputs ? weight[o * inputs + input + 1] : Bfloat16{};
      }
    }
  }
}

void linear_plain(const LinearTask& task, std::int64_t first, std::int64_t last) {
  for (std::int64_t block = first; block < last; ++block) {
    const Bfloat16* weight = task.packed + block * kOutputBlock * task.inputs;
    const std::int64_t outputs = std::min(kOutputBlock, task.outputs - block * kOutputBlock);
    for (std::int64_t row = 0; row < task.rows; ++row) {
      const Bfloat16* x = task.x + row * task.x_row;
      for (std::int64_t o = 0; o < outputs; ++o) {
        float sum = 0;
        for (std::int64_t i = 0; i < task.inputs; i += 2) {
          const Bfloat16* pair = weight + (i / 2 * kOutputBlock + o) * 2;
          sum += to_float(x[i]) * to_float(pair[0]) + to_float(x[i + 1]) * to_float(pair[1]);
        }
        const std::int64_t at = block * kOutputBlock + o;
        sum = activated(task.activation, sum + (task.bias == nullptr ? 0.0F : task.bias[at]));
        const std::int64_t place = row * task.outputs + at;
        store(task.other == nullptr ? sum : sum + to_float(task.other[place]), task.out[place]);
      }
    }
  }
}

}  // namespace longhaul::kernels
