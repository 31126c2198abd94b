// How many threads this process may keep busy, which is often less than the machine has: its
// affinity, the quota of its cgroup and what the scheduler gave it.
// Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace longhaul::app {

struct UsableThreads {
  std::uint32_t threads = 1;
  std::string because;  // "affinity", "cgroup quota", "SLURM_CPUS_PER_TASK" or "machine"
};

UsableThreads usable_threads(const std::map<std::string, std::string>& environment);

}  // namespace longhaul::app
