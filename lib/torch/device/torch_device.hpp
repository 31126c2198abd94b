// Devices as this room sees them: longhaul::Device plus the LibTorch device behind it.
// Made and used by the encoding thread; memory() may be called from any thread.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "device/device.hpp"

namespace longhaul::torch_room {

class TorchDevice : public device::Device {
 public:
  virtual c10::Device torch() const = 0;
};

// Counts live CPU tensor bytes: what the CPU allocator gave and did not get back while a
// LiveBytesGuard was in force on the allocating thread.
class LiveBytes {
 public:
  std::uint64_t bytes() const;
  // The highest count since the last call.
  std::uint64_t take_peak();
  void add(std::int64_t bytes);

 private:
  std::atomic<std::int64_t> bytes_{0};
  std::atomic<std::int64_t> peak_{0};
};

// Installs the count on this thread while it lives. Every allocation and release of this room's
// tensors happens under one, else LibTorch warns of blocks of unknown size.
class LiveBytesGuard {
 public:
  explicit LiveBytesGuard(std::shared_ptr<LiveBytes> live);
  ~LiveBytesGuard();
  LiveBytesGuard(const LiveBytesGuard&) = delete;
  LiveBytesGuard& operator=(const LiveBytesGuard&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// In force on a thread while it computes on a device: the device is the current one, its tensors'
// bytes are counted, and nothing is kept for gradients.
struct ComputingGuards {
  ComputingGuards(std::shared_ptr<LiveBytes> live, c10::Device device)
      : counted(std::move(live)), current(device) {}

  LiveBytesGuard counted;
  c10::InferenceMode inference;
  c10::OptionalDeviceGuard current;
};

std::unique_ptr<TorchDevice> make_cpu_device(std::shared_ptr<LiveBytes> live);
// Initialises the device; Error(kUnavailable) when it fails.
std::unique_ptr<TorchDevice> make_cuda_device(int index, const std::string& name);
std::unique_ptr<TorchDevice> make_mps_device();

}  // namespace longhaul::torch_room
