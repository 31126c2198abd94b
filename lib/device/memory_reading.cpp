#include "device/memory_reading.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace longhaul::device {
namespace {

using Field = std::optional<std::uint64_t>;

// No machine has this much memory (256 TiB); a counter that says so has wrapped or is garbage.
constexpr std::uint64_t kAbsurd = 1ULL << 48;
// Metal's driver may hold more than it recommends, but not several times as much.
constexpr std::uint64_t kDriverOverRecommended = 4;

// The raw number in every form it may be met in elsewhere.
std::string raw(std::uint64_t value) {
  std::string text = std::to_string(value) + " bytes (" + format_bytes(value);
  if (value >> 63U) {
    text += ", as a signed number " + std::to_string(static_cast<std::int64_t>(value));
  }
  return text + ")";
}

}  // namespace

MemoryReading read_host_memory(const std::string& root) {
  return HostMemory(root).read();
}

void MemorySanity::drop(Field& field, const char* name, const std::string& why) {
  if (warned_.insert(name).second) {
    log_.warning(std::string("the memory counter ") + name + " cannot be true: " + raw(*field) +
                 ", " + why + "; it is ignored from here on while it is so");
  }
  field.reset();
}

void MemorySanity::drop_above(Field& field, const char* name, const Field& bound,
                              const char* bound_name) {
  if (field && bound && *field > *bound) {
    drop(field, name, std::string("above the ") + format_bytes(*bound) + " of " + bound_name);
  }
}

MemoryReading MemorySanity::checked(MemoryReading raw_reading) {
  MemoryReading reading = std::move(raw_reading);
  DeviceMemory& device = reading.device;
  const std::pair<Field*, const char*> all[] = {
      {&reading.rss, "rss"},
      {&reading.peak_rss, "peak_rss"},
      {&reading.footprint, "footprint"},
      {&reading.cgroup_used, "cgroup_used"},
      {&reading.available, "available"},
      {&reading.total, "total"},
      {&reading.live_cpu, "live"},
      {&reading.live_cpu_peak, "live_peak"},
      {&device.allocated, "device_allocated"},
      {&device.allocated_peak, "device_allocated_peak"},
      {&device.reserved, "device_reserved"},
      {&device.driver, "device_driver"},
      {&device.free, "device_free"},
      {&device.total, "device_total"},
      {&device.recommended, "device_recommended"},
  };
  for (const auto& [field, name] : all) {
    if (*field && **field >= kAbsurd) {
      drop(*field, name, "more than any machine has");
    }
  }

  drop_above(reading.rss, "rss", reading.total, "physical memory");
  drop_above(reading.available, "available", reading.total, "physical memory");
  drop_above(reading.live_cpu, "live", reading.total, "physical memory");
  drop_above(reading.live_cpu_peak, "live_peak", reading.total, "physical memory");

  // Without a memory of its own the device lives in the host's.
  const Field physical = device.total ? device.total : reading.total;
  const char* const owner = device.total ? "device memory" : "physical memory";
  drop_above(device.driver, "device_driver", physical, owner);
  if (device.recommended && device.driver &&
      *device.driver / kDriverOverRecommended > *device.recommended) {
    drop(device.driver, "device_driver",
         "more than 4 times the recommended " + format_bytes(*device.recommended));
  }
  drop_above(device.reserved, "device_reserved", physical, owner);
  drop_above(device.free, "device_free", physical, owner);
  drop_above(device.recommended, "device_recommended", physical, owner);
  drop_above(device.allocated, "device_allocated", physical, owner);
  drop_above(device.allocated_peak, "device_allocated_peak", physical, owner);
  drop_above(device.allocated, "device_allocated", device.reserved, "what the allocator reserved");
  drop_above(device.allocated, "device_allocated", device.driver, "what the driver holds");
  return reading;
}

MemoryReading MemoryReader::read(const Device& device) {
  MemoryReading reading = host_.read();
  reading.device = device.memory();
  if (device.kind() == DeviceKind::kCpu) {
    reading.live_cpu = reading.device.allocated;
    reading.live_cpu_peak = reading.device.allocated_peak;
    reading.device = {};
  }
  return sanity_.checked(reading);
}

std::vector<std::pair<std::string_view, Field>> fields_of(const MemoryReading& reading) {
  return {{"rss", reading.rss},
          {"peak_rss", reading.peak_rss},
          {"footprint", reading.footprint},
          {"cgroup_used", reading.cgroup_used},
          {"cgroup_limit", reading.cgroup_limit},
          {"address_space", reading.address_space},
          {"address_space_limit", reading.address_space_limit},
          {"available", reading.available},
          {"live", reading.live_cpu},
          {"live_peak", reading.live_cpu_peak},
          {"device_allocated", reading.device.allocated},
          {"device_allocated_peak", reading.device.allocated_peak},
          {"device_reserved", reading.device.reserved},
          {"device_driver", reading.device.driver},
          {"device_free", reading.device.free},
          {"device_recommended", reading.device.recommended},
          {"device_out_of_memory", reading.device.out_of_memory_count},
          {"device_retries", reading.device.retry_count},
          {"open_files", reading.open_files},
          {"threads", reading.threads}};
}

nlohmann::json memory_line(const nlohmann::json& time, std::uint64_t batches, std::uint64_t records,
                           const MemoryReading& reading) {
  nlohmann::json line = {{"time", time}, {"batch", batches}, {"records", records}};
  for (const auto& [name, value] : fields_of(reading)) {
    line[std::string(name)] = value ? nlohmann::json(*value) : nlohmann::json(nullptr);
  }
  return line;
}

void MemorySummary::add(const MemoryReading& reading) {
  ++readings_;
  for (const auto& [name, value] : fields_of(reading)) {
    if (!value) {
      continue;
    }
    const auto [at, is_new] =
        ranges_.try_emplace(std::string(name), Range{*value, *value, *value, *value});
    if (!is_new) {
      at->second.last = *value;
      at->second.least = std::min(at->second.least, *value);
      at->second.greatest = std::max(at->second.greatest, *value);
    }
  }
}

nlohmann::json MemorySummary::report() const {
  nlohmann::json report = {{"readings", readings_}};
  for (const auto& [name, range] : ranges_) {
    report[name] = {{"first", range.first},
                    {"last", range.last},
                    {"min", range.least},
                    {"max", range.greatest}};
  }
  return report;
}

}  // namespace longhaul::device
