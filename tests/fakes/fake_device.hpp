// A device whose memory is a few numbers: it fails where it is told to, grows as it is told to, and
// its counters lie when they are told to. Any thread may call memory(); the rest belongs to one.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "device/device.hpp"

namespace longhaul::fakes {

struct FakeDeviceSettings {
  device::DeviceKind kind = device::DeviceKind::kCpu;
  std::string ordinal = "0";  // of CUDA
  // Running out of memory. Calls are numbered from 1 and count retries.
  std::vector<std::uint64_t> fail_at;   // these calls fail, and
  std::uint64_t fail_times = 1;         // so many calls from each on; 0: all from there on
  std::optional<double> capacity_cost;  // rows x cost_per_row(width)
  std::optional<std::uint32_t> capacity_rows;
  std::optional<std::uint64_t> capacity_bytes;  // with base_bytes, bytes_per_cost and the leak
  // What it holds.
  std::uint64_t base_bytes = 100 << 20;
  std::uint64_t bytes_per_cost = 20000;
  std::uint64_t cache_bytes = 0;      // more reserved after each call, until release_cache()
  std::uint64_t shape_bytes = 0;      // more in the driver for each new width, for ever
  std::uint64_t leak_bytes = 0;       // more allocated after each call, for ever
  std::uint64_t leak_real_bytes = 0;  // of this process's own heap, for ever
  // Counters that cannot be true: from this call on the driver's is 2^56 bytes too high.
  std::optional<std::uint64_t> wrap_at;
};

class FakeDevice : public device::Device {
 public:
  explicit FakeDevice(FakeDeviceSettings settings) : settings_(std::move(settings)) {}

  device::DeviceKind kind() const override { return settings_.kind; }
  std::string name() const override;
  device::DeviceMemory memory() const override;
  void release_cache() override;
  void synchronize() override {}

  // Before a batch is computed: throws DeviceOutOfMemory where it does not fit. `cost` is that of
  // all its parts; `width` that of the widest.
  void enter(std::uint32_t rows, std::uint32_t width, double cost);

  std::uint64_t calls() const { return calls_; }
  std::uint64_t failures() const { return failures_; }
  std::uint64_t releases() const { return releases_; }

 private:
  bool fails(std::uint32_t rows, double cost) const;

  const FakeDeviceSettings settings_;
  mutable std::mutex mutex_;
  std::uint64_t calls_ = 0;
  std::uint64_t failures_ = 0;
  std::uint64_t releases_ = 0;
  std::uint64_t leaked_ = 0;
  std::uint64_t cached_ = 0;
  mutable std::uint64_t peak_ = 0;
  std::map<std::uint32_t, std::uint64_t> widths_;
  std::vector<std::vector<char>> really_leaked_;
};

FakeDeviceSettings fake_device_settings(const nlohmann::json& model);

}  // namespace longhaul::fakes
