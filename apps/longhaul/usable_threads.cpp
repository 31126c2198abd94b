#include "usable_threads.hpp"

#include <unistd.h>

#include <algorithm>
#include <optional>

#include "base/text.hpp"
#include "device/processor_share.hpp"

namespace longhaul::app {

UsableThreads usable_threads(const std::map<std::string, std::string>& environment) {
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  UsableThreads usable{static_cast<std::uint32_t>(std::max(1L, online)), "machine"};
  const auto at_most = [&](std::optional<std::uint64_t> threads, const char* because) {
    if (threads && *threads > 0 && *threads < usable.threads) {
      usable = {static_cast<std::uint32_t>(*threads), because};
    }
  };
  const device::ProcessorShare share = device::processor_share();
  at_most(share.affinity, "affinity");
  at_most(share.quota, "cgroup quota");
  const auto slurm = environment.find("SLURM_CPUS_PER_TASK");
  at_most(slurm == environment.end() ? std::nullopt : parse_count(slurm->second),
          "SLURM_CPUS_PER_TASK");
  return usable;
}

}  // namespace longhaul::app
