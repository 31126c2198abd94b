#include "fakes/fake_device.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"

namespace longhaul::fakes {
namespace {

constexpr std::uint64_t kTotal = 4ULL << 30;
constexpr std::uint64_t kGarbage = 1ULL << 56;

template <typename T>
std::optional<T> maybe(const nlohmann::json& model, const char* key) {
  return model.contains(key) ? std::optional<T>(model.at(key).get<T>()) : std::nullopt;
}

}  // namespace

std::string FakeDevice::name() const {
  switch (settings_.kind) {
    case device::DeviceKind::kCuda:
      return "cuda:" + settings_.ordinal + " fake";
    case device::DeviceKind::kMps:
      return "mps";
    case device::DeviceKind::kCpu:
      break;
  }
  return "cpu";
}

device::DeviceMemory FakeDevice::memory() const {
  const std::lock_guard lock(mutex_);
  device::DeviceMemory memory;
  memory.allocated = settings_.base_bytes + leaked_;
  memory.allocated_peak = std::max(std::exchange(peak_, 0), *memory.allocated);
  if (settings_.kind == device::DeviceKind::kCpu) {
    return memory;
  }
  const std::uint64_t reserved = *memory.allocated + cached_;
  memory.driver = reserved + settings_.shape_bytes * widths_.size();
  if (settings_.wrap_at && calls_ >= *settings_.wrap_at) {
    *memory.driver += kGarbage;
  }
  memory.out_of_memory_count = failures_;
  if (settings_.kind == device::DeviceKind::kCuda) {
    memory.reserved = reserved;
    memory.total = kTotal;
    memory.free = kTotal - reserved;
  } else {
    memory.recommended = kTotal / 4 * 3;
  }
  return memory;
}

void FakeDevice::release_cache() {
  const std::lock_guard lock(mutex_);
  ++releases_;
  cached_ = 0;
}

bool FakeDevice::fails(std::uint32_t rows, double cost) const {
  const bool told =
      std::any_of(settings_.fail_at.begin(), settings_.fail_at.end(), [&](std::uint64_t call) {
        return calls_ >= call &&
               (settings_.fail_times == 0 || calls_ < call + settings_.fail_times);
      });
  const double bytes = static_cast<double>(settings_.base_bytes + leaked_) +
                       cost * static_cast<double>(settings_.bytes_per_cost);
  return told || (settings_.capacity_cost && cost > *settings_.capacity_cost) ||
         (settings_.capacity_rows && rows > *settings_.capacity_rows) ||
         (settings_.capacity_bytes && bytes > static_cast<double>(*settings_.capacity_bytes));
}

void FakeDevice::enter(std::uint32_t rows, std::uint32_t width, double cost) {
  const std::lock_guard lock(mutex_);
  ++calls_;
  ++widths_[width];
  if (fails(rows, cost)) {
    ++failures_;
    throw DeviceOutOfMemory("fake device out of memory at call " + std::to_string(calls_) +
                            " with " + std::to_string(rows) + " x " + std::to_string(width) +
                            " tokens");
  }
  const double taken = cost * static_cast<double>(settings_.bytes_per_cost);
  peak_ = std::max(peak_, settings_.base_bytes + leaked_ + static_cast<std::uint64_t>(taken));
  cached_ += settings_.cache_bytes;
  leaked_ += settings_.leak_bytes;
  if (settings_.leak_real_bytes > 0) {
    really_leaked_.emplace_back(settings_.leak_real_bytes, 'x');
  }
}

FakeDeviceSettings fake_device_settings(const nlohmann::json& model) {
  FakeDeviceSettings settings;
  const std::string kind = model.value("device", "cpu");
  settings.kind = kind == "cuda"  ? device::DeviceKind::kCuda
                  : kind == "mps" ? device::DeviceKind::kMps
                                  : device::DeviceKind::kCpu;
  settings.fail_at = model.value("fail_at", settings.fail_at);
  settings.fail_times = model.value("fail_times", settings.fail_times);
  settings.capacity_cost = maybe<double>(model, "capacity_cost");
  settings.capacity_rows = maybe<std::uint32_t>(model, "capacity_rows");
  settings.capacity_bytes = maybe<std::uint64_t>(model, "capacity_bytes");
  settings.base_bytes = model.value("base_bytes", settings.base_bytes);
  settings.bytes_per_cost = model.value("bytes_per_cost", settings.bytes_per_cost);
  settings.cache_bytes = model.value("cache_bytes", settings.cache_bytes);
  settings.shape_bytes = model.value("shape_bytes", settings.shape_bytes);
  settings.leak_bytes = model.value("leak_bytes", settings.leak_bytes);
  settings.leak_real_bytes = model.value("leak_real_bytes", settings.leak_real_bytes);
  settings.wrap_at = maybe<std::uint64_t>(model, "wrap_at");
  return settings;
}

}  // namespace longhaul::fakes
