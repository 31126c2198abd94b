#include "config/scheduled_shard.hpp"

#include <array>
#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::config {
namespace {

using Environment = std::map<std::string, std::string>;

constexpr const char* kSlurmArray = "SLURM_ARRAY_TASK_ID";
constexpr const char* kSlurmTask = "SLURM_PROCID";

struct Numbered {
  const char* name;
  std::uint64_t first;  // the number of shard 1
};
constexpr std::array kNumbered{Numbered{kSlurmArray, 1}, Numbered{"PBS_ARRAY_INDEX", 1},
                               Numbered{"LSB_JOBINDEX", 1}, Numbered{"SGE_TASK_ID", 1},
                               Numbered{"JOB_COMPLETION_INDEX", 0}};

// Grid Engine says "undefined" to what is no array.
std::optional<std::string> text_of(const Environment& environment, const char* name) {
  const auto found = environment.find(name);
  return found == environment.end() || found->second.empty() || found->second == "undefined"
             ? std::nullopt
             : std::optional(found->second);
}

std::uint64_t number_of(const Environment& environment, const char* name) {
  const std::string text = text_of(environment, name).value_or("");
  const std::optional<std::uint64_t> number = parse_count(text);
  if (!number) {
    throw Error(ExitCode::kUsage,
                std::string("--shard auto: ") + name +
                    (text.empty() ? " is not set" : " is '" + printable(text) + "'"),
                "give --shard I/N");
  }
  return *number;
}

const Numbered* numbered(const Environment& environment) {
  for (const Numbered& one : kNumbered) {
    if (text_of(environment, one.name)) {
      return &one;
    }
  }
  return nullptr;
}

Shard of_array(const Environment& environment) {
  const std::uint64_t first = number_of(environment, "SLURM_ARRAY_TASK_MIN");
  const std::uint64_t last = number_of(environment, "SLURM_ARRAY_TASK_MAX");
  const std::uint64_t count = number_of(environment, "SLURM_ARRAY_TASK_COUNT");
  const std::uint64_t index = number_of(environment, kSlurmArray);
  if (first != 1 || last != count || number_of(environment, "SLURM_ARRAY_TASK_STEP") != 1 ||
      index < 1 || index > count) {
    throw Error(ExitCode::kUsage,
                "--shard auto: this job array is not numbered 1 to N (its first is " +
                    std::to_string(first) + ", its last " + std::to_string(last) + ", of " +
                    std::to_string(count) + "), so it does not tell how many shards there are",
                "submit it with --array=1-N, or give --shard auto/N with the number of shards");
  }
  return {index, count};
}

[[noreturn]] void nobody_says(const Environment& environment) {
  if (const Numbered* found = numbered(environment)) {
    throw Error(ExitCode::kUsage,
                std::string("--shard auto: ") + found->name +
                    " is set, and does not tell how many shards there are",
                "give --shard auto/N with the number of shards");
  }
  throw Error(ExitCode::kUsage,
              "--shard auto finds no scheduler here: neither SLURM_ARRAY_TASK_ID nor the "
              "variables of srun with more than one task are set",
              "give --shard I/N, with I from 1 to N");
}

ScheduledShard counted_by_slurm(const Environment& environment) {
  if (text_of(environment, kSlurmArray)) {
    return {of_array(environment), kSlurmArray};
  }
  // A batch script has them too, and is no task of its own.
  if (!text_of(environment, kSlurmTask) || !text_of(environment, "SLURM_STEP_ID")) {
    nobody_says(environment);
  }
  const std::uint64_t tasks = number_of(environment, "SLURM_NTASKS");
  const std::uint64_t task = number_of(environment, kSlurmTask);
  if (tasks < 2 || task >= tasks) {
    nobody_says(environment);
  }
  return {{task + 1, tasks}, kSlurmTask};
}

}  // namespace

ScheduledShard scheduled_shard(const ShardChoice& choice, const Environment& environment) {
  if (!choice.count) {
    return counted_by_slurm(environment);
  }
  if (choice.index) {
    return {{*choice.index, *choice.count}, ""};
  }
  const std::string count = std::to_string(*choice.count);
  const Numbered* found = numbered(environment);
  if (found == nullptr) {
    std::string names;
    for (const Numbered& one : kNumbered) {
      names += (names.empty() ? "" : ", ") + std::string(one.name);
    }
    throw Error(
        ExitCode::kUsage,
        "--shard auto/" + count + " finds no number of a scheduler: none of " + names + " is set",
        "give --shard I/" + count + ", with I from 1");
  }
  const std::uint64_t number = number_of(environment, found->name);
  const std::uint64_t last = *choice.count - 1 + found->first;
  if (number < found->first || number > last) {
    throw Error(ExitCode::kUsage,
                "--shard auto/" + count + ": " + found->name + " is " + std::to_string(number) +
                    ", and the shards are numbered " + std::to_string(found->first) + " to " +
                    std::to_string(last) + " there",
                "number the array from " + std::to_string(found->first) + " to " +
                    std::to_string(last) + ", or give --shard I/" + count);
  }
  return {{number - found->first + 1, *choice.count}, found->name};
}

}  // namespace longhaul::config
