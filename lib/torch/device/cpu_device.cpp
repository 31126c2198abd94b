#include <ATen/ATen.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <algorithm>
#include <utility>

#include "torch/device/torch_device.hpp"

namespace longhaul::torch_room {
namespace {

class CpuMemoryReporter : public c10::MemoryReportingInfoBase {
 public:
  explicit CpuMemoryReporter(std::shared_ptr<LiveBytes> live) : live_(std::move(live)) {}

  void reportMemoryUsage(void* /*pointer*/, std::int64_t bytes, std::size_t /*allocated*/,
                         std::size_t /*reserved*/, c10::Device device) override {
    if (device.is_cpu()) {
      live_->add(bytes);
    }
  }
  bool memoryProfilingEnabled() const override { return true; }

 private:
  std::shared_ptr<LiveBytes> live_;  // shared with the device, which is asked from any thread
};

class CpuDevice : public TorchDevice {
 public:
  explicit CpuDevice(std::shared_ptr<LiveBytes> live) : live_(std::move(live)) {}

  device::DeviceKind kind() const override { return device::DeviceKind::kCpu; }
  std::string name() const override { return "cpu"; }
  c10::Device torch() const override { return c10::Device(c10::kCPU); }

  device::DeviceMemory memory() const override {
    device::DeviceMemory memory;
    memory.allocated_peak = live_->take_peak();
    memory.allocated = live_->bytes();
    return memory;
  }

  void release_cache() override {
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
  }

  void synchronize() override {}

 private:
  std::shared_ptr<LiveBytes> live_;  // shared with the guards of the encoding thread
};

}  // namespace

std::uint64_t LiveBytes::bytes() const {
  // Below zero only when memory from before the count was given back under it.
  const std::int64_t bytes = bytes_;
  return bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0;
}

std::uint64_t LiveBytes::take_peak() {
  const std::int64_t now = bytes_;
  const std::int64_t peak = std::max(peak_.exchange(now), now);
  return peak > 0 ? static_cast<std::uint64_t>(peak) : 0;
}

void LiveBytes::add(std::int64_t bytes) {
  const std::int64_t now = bytes_.fetch_add(bytes) + bytes;
  std::int64_t peak = peak_;
  while (now > peak && !peak_.compare_exchange_weak(peak, now)) {
  }
}

struct LiveBytesGuard::Impl {
  c10::DebugInfoGuard guard;
};

LiveBytesGuard::LiveBytesGuard(std::shared_ptr<LiveBytes> live)
    : impl_(new Impl{c10::DebugInfoGuard(c10::DebugInfoKind::PROFILER_STATE,
                                         std::make_shared<CpuMemoryReporter>(std::move(live)))}) {}
LiveBytesGuard::~LiveBytesGuard() = default;

std::unique_ptr<TorchDevice> make_cpu_device(std::shared_ptr<LiveBytes> live) {
  return std::make_unique<CpuDevice>(std::move(live));
}

}  // namespace longhaul::torch_room
