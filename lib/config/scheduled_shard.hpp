// Which shard a process is, where --shard leaves it to the scheduler that started it: Slurm, PBS,
// LSF, Grid Engine, Kubernetes. Pure functions of an environment; any thread.
#pragma once

#include <map>
#include <string>

#include "config/run_config.hpp"
#include "domain/shard.hpp"

namespace longhaul::config {

struct ScheduledShard {
  Shard shard;
  std::string from;  // "SLURM_ARRAY_TASK_ID"; empty where --shard says all
};

// auto: of Slurm alone, which says how many there are too: a job array that is 1 to N, else the
// tasks of srun. auto/N: a scheduler's number is I itself, of Kubernetes I - 1.
// Throws Error(kUsage) with the way out where that cannot be told.
ScheduledShard scheduled_shard(const ShardChoice& choice,
                               const std::map<std::string, std::string>& environment);

}  // namespace longhaul::config
