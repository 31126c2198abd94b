#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/core/CachingHostAllocator.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>

#include "base/error.hpp"
#include "torch/device/torch_device.hpp"
#include "torch/process/torch_errors.hpp"

namespace longhaul::torch_room {
namespace {

std::optional<std::uint64_t> counter(std::int64_t value) {
  return value < 0 ? std::nullopt : std::optional<std::uint64_t>(value);
}

class CudaDevice : public TorchDevice {
 public:
  CudaDevice(int index, const std::string& name)
      : index_(static_cast<c10::DeviceIndex>(index)),
        name_("cuda:" + std::to_string(index) + " " + name) {}

  device::DeviceKind kind() const override { return device::DeviceKind::kCuda; }
  std::string name() const override { return name_; }
  c10::Device torch() const override { return {c10::kCUDA, index_}; }

  device::DeviceMemory memory() const override {
    auto* allocator = c10::getDeviceAllocator(c10::kCUDA);
    const auto stats = allocator->getDeviceStats(index_);
    const auto [free, total] = allocator->getMemoryInfo(index_);
    device::DeviceMemory memory;
    memory.allocated = counter(stats.allocated_bytes[0].current);
    memory.allocated_peak = counter(stats.allocated_bytes[0].peak);
    allocator->resetPeakStats(index_);
    memory.reserved = counter(stats.reserved_bytes[0].current);
    memory.free = free;
    memory.total = total;
    memory.out_of_memory_count = counter(stats.num_ooms);
    memory.retry_count = counter(stats.num_alloc_retries);
    return memory;
  }

  void release_cache() override {
    c10::getDeviceAllocator(c10::kCUDA)->emptyCache();
    at::getHostAllocator(c10::kCUDA)->empty_cache();
  }

  void synchronize() override { at::detail::getCUDAHooks().deviceSynchronize(index_); }

 private:
  c10::DeviceIndex index_;
  std::string name_;
};

}  // namespace

std::unique_ptr<TorchDevice> make_cuda_device(int index, const std::string& name) {
  try {
    at::globalContext().lazyInitDevice(c10::kCUDA);
    auto device = std::make_unique<CudaDevice>(index, name);
    at::zeros({1}, at::TensorOptions().device(device->torch())).add_(1);
    device->synchronize();
    return device;
  } catch (const std::exception& failure) {
    throw Error(ExitCode::kUnavailable,
                "the NVIDIA device cuda:" + std::to_string(index) + " (" + name +
                    ") does not work: " + failure_text(failure),
                "try again later, or choose --device cpu");
  }
}

}  // namespace longhaul::torch_room
