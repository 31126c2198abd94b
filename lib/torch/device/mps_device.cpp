#include <ATen/ATen.h>
#include <ATen/detail/MPSHooksInterface.h>

#include "torch/device/torch_device.hpp"

namespace longhaul::torch_room {
namespace {

// In LibTorch 2.11 the generic accelerator calls fail on MPS; its hooks work, and link everywhere.
class MpsDevice : public TorchDevice {
 public:
  device::DeviceKind kind() const override { return device::DeviceKind::kMps; }
  std::string name() const override { return "mps"; }
  c10::Device torch() const override { return {c10::kMPS, 0}; }

  device::DeviceMemory memory() const override {
    const auto& hooks = at::detail::getMPSHooks();
    device::DeviceMemory memory;
    memory.allocated = hooks.getCurrentAllocatedMemory();
    memory.driver = hooks.getDriverAllocatedMemory();
    memory.recommended = hooks.getRecommendedMaxMemory();
    return memory;
  }

  void release_cache() override { at::detail::getMPSHooks().emptyCache(); }
  void synchronize() override { at::detail::getMPSHooks().deviceSynchronize(); }
};

}  // namespace

std::unique_ptr<TorchDevice> make_mps_device() {
  return std::make_unique<MpsDevice>();
}

}  // namespace longhaul::torch_room
