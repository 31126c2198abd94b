// What is known about memory at one moment, on the host and on the device.
// Values; any thread. A field is empty when it is not known or cannot be true.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "device/device.hpp"

namespace longhaul {

// Bytes, but for the two counts.
struct MemoryReading {
  std::optional<std::uint64_t> rss;
  std::optional<std::uint64_t> peak_rss;
  std::optional<std::uint64_t> cgroup_used;  // without file cache: our own writes do not count
  std::optional<std::uint64_t> cgroup_limit;
  std::optional<std::uint64_t> available;  // what the system could still give
  std::optional<std::uint64_t> total;      // physical memory
  std::optional<std::uint64_t> live_cpu;   // live CPU tensor bytes
  std::optional<std::uint64_t> open_files;
  std::optional<std::uint64_t> threads;
  DeviceMemory device;
};

// The host's part, read from /proc and /sys (Linux) or Mach (macOS). `root` is "/" but in tests.
MemoryReading read_host_memory(const std::string& root = "/");

// Drops what cannot be true (device driver bytes above physical memory, allocated above driver, a
// wrapped unsigned difference), warning once per field with the raw number.
class MemorySanity {
 public:
  explicit MemorySanity(Log& log) : log_(log) {}
  MemoryReading checked(MemoryReading raw);

 private:
  Log& log_;
  std::map<std::string, bool> warned_;
};

}  // namespace longhaul
