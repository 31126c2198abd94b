// What is known about memory at one moment, on the host and on the device; and what a person or a
// later analysis sees of it.
// Values; any thread, but HostMemory, MemorySanity and MemorySummary, which belong to one thread.
// Nothing here throws: what cannot be read or cannot be true is an empty field.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "device/device.hpp"

namespace longhaul::device {

// Bytes, but for the two counts.
struct MemoryReading {
  std::optional<std::uint64_t> rss;
  std::optional<std::uint64_t> peak_rss;   // since the process began
  std::optional<std::uint64_t> footprint;  // macOS: what the system charges, GPU memory included
  // Of the cgroup, its own or a parent's, that leaves the least room; file cache is not counted,
  // so that our own writes do not shrink our batches.
  std::optional<std::uint64_t> cgroup_used;
  std::optional<std::uint64_t> cgroup_limit;
  std::optional<std::uint64_t> address_space;        // reserved, where a limit is set on it
  std::optional<std::uint64_t> address_space_limit;  // ulimit -v, RLIMIT_AS
  std::optional<std::uint64_t> available;            // what the system could still give
  std::optional<std::uint64_t> total;                // physical memory
  std::optional<std::uint64_t> live_cpu;             // live CPU tensor bytes
  std::optional<std::uint64_t> live_cpu_peak;        // highest since the previous reading
  std::optional<std::uint64_t> open_files;
  std::optional<std::uint64_t> threads;
  DeviceMemory device;
};

// a - b, or nothing where that would wrap.
constexpr std::optional<std::uint64_t> checked_difference(std::uint64_t a, std::uint64_t b) {
  return a >= b ? std::optional(a - b) : std::nullopt;
}

// The host's part, read from /proc and /sys (Linux) or Mach (macOS). `root` is "/" but in tests.
// A reading costs about 40 microseconds; open files are counted at the first reading and every
// sixteenth after it, and keep their last count in between.
class HostMemory {
 public:
  explicit HostMemory(std::string root = "/");
  MemoryReading read();

 private:
  struct Group {  // a cgroup folder and the names its version gives the files
    std::string limit_file, soft_limit_file, used_file, stat_file;
    std::string_view inactive_key, active_key;
  };
  void find_groups();
  void read_groups(MemoryReading& reading);

  std::string root_;
  std::vector<Group> groups_;
  std::optional<std::uint64_t> address_space_limit_;
  std::uint64_t readings_ = 0;
  std::optional<std::uint64_t> open_files_;
};

MemoryReading read_host_memory(const std::string& root = "/");

// Drops what cannot be true (device driver bytes above physical memory, allocated above what the
// driver holds, a wrapped unsigned difference), warning once per field with the raw number.
class MemorySanity {
 public:
  explicit MemorySanity(Log& log) : log_(log) {}
  MemoryReading checked(MemoryReading raw);
  // Fields found implausible so far.
  const std::set<std::string>& dropped() const { return warned_; }

 private:
  using Field = std::optional<std::uint64_t>;
  void drop(Field& field, const char* name, const std::string& why);
  void drop_above(Field& field, const char* name, const Field& bound, const char* bound_name);

  Log& log_;
  std::set<std::string> warned_;
};

// Reads how memory stands, checked. The log outlives it; `root` as HostMemory has it.
class MemoryReader {
 public:
  explicit MemoryReader(Log& log, std::string root = "/") : host_(std::move(root)), sanity_(log) {}
  MemoryReading read_host() { return sanity_.checked(host_.read()); }
  // With the device's. On a CPU its allocated bytes are the live tensors.
  MemoryReading read(const Device& device);

 private:
  HostMemory host_;
  MemorySanity sanity_;
};

// One line of memory.jsonl. `time` is whatever clock the caller keeps; null stands for unknown.
nlohmann::json memory_line(const nlohmann::json& time, std::uint64_t batches, std::uint64_t records,
                           const MemoryReading& reading);

// First, last, least and greatest of every field seen: for run.json.
class MemorySummary {
 public:
  void add(const MemoryReading& reading);
  nlohmann::json report() const;

 private:
  struct Range {
    std::uint64_t first = 0, last = 0, least = 0, greatest = 0;
  };
  std::uint64_t readings_ = 0;
  std::map<std::string, Range> ranges_;
};

// Every field by its name in memory.jsonl.
std::vector<std::pair<std::string_view, std::optional<std::uint64_t>>> fields_of(
    const MemoryReading& reading);

}  // namespace longhaul::device
