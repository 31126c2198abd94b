#include "torch/device/devices.hpp"

#include <ATen/detail/MPSHooksInterface.h>

#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"
#include "torch/device/cuda_driver.hpp"
#include "torch/device/open_device.hpp"

namespace longhaul::torch_room {
namespace {

bool has_mps() {
  return at::detail::getMPSHooks().hasMPS();
}

[[noreturn]] void refuse(const std::string& name) {
  throw Error(ExitCode::kUnavailable,
              "--device " + name + " is not there; this machine has " + join(list_devices(), ", "),
              "choose one of these, or --device auto");
}

std::unique_ptr<TorchDevice> open_cuda(const CudaDriver& driver, const std::string& name,
                                       std::size_t ordinal) {
  if (driver.failure) {
    throw Error(ExitCode::kUnavailable, "the NVIDIA driver does not work: " + *driver.failure,
                "repair it and try again, or choose --device cpu");
  }
  if (ordinal >= driver.devices.size()) {
    refuse(name);
  }
  load_torch_cuda();
  return make_cuda_device(static_cast<int>(ordinal), driver.devices[ordinal]);
}

// The ordinal of "cuda" or "cuda:N"; nothing when `name` is neither.
std::optional<std::size_t> cuda_ordinal(const std::string& name) {
  if (name == "cuda") {
    return 0;
  }
  constexpr std::string_view kPrefix = "cuda:";
  if (!name.starts_with(kPrefix)) {
    return std::nullopt;
  }
  const auto ordinal = parse_count(std::string_view(name).substr(kPrefix.size()));
  return ordinal ? std::optional<std::size_t>(*ordinal) : std::nullopt;
}

}  // namespace

std::vector<std::string> list_devices() {
  std::vector<std::string> devices;
  const CudaDriver driver = ask_cuda_driver();
  for (std::size_t i = 0; i < driver.devices.size(); ++i) {
    devices.push_back("cuda:" + std::to_string(i) + " " + driver.devices[i]);
  }
  if (has_mps()) {
    devices.emplace_back("mps");
  }
  devices.emplace_back("cpu");
  return devices;
}

std::unique_ptr<TorchDevice> open_torch_device(const std::string& name,
                                               const std::shared_ptr<LiveBytes>& live) {
  if (name == "cpu") {
    return make_cpu_device(live);
  }
  if (name == "mps") {
    if (!has_mps()) {
      refuse(name);
    }
    return make_mps_device();
  }
  if (name == "auto") {
    const CudaDriver driver = ask_cuda_driver();
    if (driver.failure || !driver.devices.empty()) {
      return open_cuda(driver, name, 0);
    }
    return has_mps() ? make_mps_device() : make_cpu_device(live);
  }
  if (const auto ordinal = cuda_ordinal(name)) {
    return open_cuda(ask_cuda_driver(), name, *ordinal);
  }
  throw Error(ExitCode::kUsage, "--device " + name + " is unknown",
              "allowed are auto, cpu, cuda, cuda:N, mps");
}

std::unique_ptr<device::Device> open_device(const std::string& name) {
  return open_torch_device(name, std::make_shared<LiveBytes>());
}

}  // namespace longhaul::torch_room
