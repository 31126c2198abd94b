// Whether what the machine gives this process is enough for a run. What was found comes as
// arguments, so that every answer can be tested.
// Pure functions but for check_threads(), which starts them; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "device/memory_reading.hpp"
#include "doctor/health.hpp"

namespace longhaul::doctor {

struct ProcessorFacts {
  std::string model;
  std::vector<std::string> instruction_sets;
  // Variables that cap a library's kernels, with their values.
  std::map<std::string, std::string> caps;
};
HealthLine check_processor(const ProcessorFacts& processor);

struct ThreadFacts {
  std::uint32_t granted = 1;
  std::string because;
  std::uint32_t online = 1;  // processors of the machine
};
// Starts as many threads as a run would, to see whether it gets them.
HealthLine check_threads(const ThreadFacts& threads);

// Room for a model and its batches: what the machine, the cgroup or a limit on addresses leaves.
HealthLine check_memory(const device::MemoryReading& memory);

// Soft limits of the process; nothing where there is none.
struct LimitFacts {
  std::optional<std::uint64_t> open_files;
  std::optional<std::uint64_t> file_bytes;
  std::optional<std::uint64_t> address_space;
};
HealthLine check_limits(const LimitFacts& limits);

struct StreamFacts {
  bool output_writable = true;
  bool error_writable = true;
};
HealthLine check_streams(const StreamFacts& streams);

}  // namespace longhaul::doctor
