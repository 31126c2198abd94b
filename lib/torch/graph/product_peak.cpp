#include "torch/graph/product_peak.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <nlohmann/json.hpp>

#include "torch/device/open_device.hpp"
#include "torch/encoder/tensors.hpp"
#include "torch/graph/fused_operators.hpp"

namespace longhaul::torch_room {
namespace {

constexpr int kRounds = 8;
constexpr std::int64_t kCpuRows = 1024;
constexpr std::int64_t kDeviceRows = 16384;

template <typename Function>
double best_seconds(TorchDevice& device, Function function) {
  double best = std::numeric_limits<double>::max();
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    function();
    device.synchronize();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count());
  }
  return best;
}

double product_seconds(TorchDevice& device, std::int64_t inputs, std::int64_t outputs,
                       std::int64_t rows, c10::ScalarType type) {
  const auto options = at::TensorOptions().dtype(type).device(device.torch());
  const at::Tensor input = at::rand({rows, inputs}, options);
  const at::Tensor weight = at::rand({outputs, inputs}, options);
  double best = best_seconds(device, [&] { at::linear(input, weight); });
  if (device.kind() == device::DeviceKind::kCpu && has_packed_linear(type)) {
    const at::Tensor packed = pack_weight(weight, rows);
    best = std::min(best, best_seconds(device, [&] {
                      packed_linear(input, packed, std::nullopt, "none", std::nullopt);
                    }));
  }
  return best;
}

}  // namespace

double measure_product_peak(const nlohmann::json& products, const std::string& device_name,
                            Dtype dtype) {
  const c10::InferenceMode inference;
  const auto device = open_torch_device(device_name.substr(0, device_name.find(' ')),
                                        std::make_shared<LiveBytes>());
  const std::int64_t rows = device->kind() == device::DeviceKind::kCpu ? kCpuRows : kDeviceRows;
  double operations = 0;
  double seconds = 0;
  for (const nlohmann::json& product : products) {
    const auto inputs = product.at("inputs").get<std::int64_t>();
    const auto outputs = product.at("outputs").get<std::int64_t>();
    const auto count = product.at("count").get<double>();
    operations += 2.0 * count * static_cast<double>(rows * inputs) * static_cast<double>(outputs);
    seconds += count * product_seconds(*device, inputs, outputs, rows, to_scalar_type(dtype));
  }
  return seconds > 0 ? operations / seconds : 0;
}

}  // namespace longhaul::torch_room
