#include "doctor/machine_checks.hpp"

#include <algorithm>

#include "base/start_thread.hpp"
#include "base/text.hpp"

namespace longhaul::doctor {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;
constexpr std::uint64_t kGiB = 1U << 30;
// LibTorch alone, and a small model with its batches.
constexpr std::uint64_t kLeastMemory = 512 * kMiB;
constexpr std::uint64_t kSmallMemory = 2 * kGiB;
// A run of one output has a dozen; a merge has those of all shards.
constexpr std::uint64_t kLeastFiles = 64;
constexpr std::uint64_t kFewFiles = 256;

bool has(const std::vector<std::string>& all, const char* name) {
  return std::find(all.begin(), all.end(), name) != all.end();
}

}  // namespace

HealthLine check_processor(const ProcessorFacts& processor) {
  const std::string said = processor.model + (processor.instruction_sets.empty()
                                                  ? std::string()
                                                  : ": " + join(processor.instruction_sets, " "));
  std::vector<std::string> caps;
  std::vector<std::string> names;
  for (const auto& [name, value] : processor.caps) {
    caps.push_back(name + "=" + printable(value));
    names.push_back(name);
  }
  if (!caps.empty()) {
    return warning("processor", said + "; kernels are changed by " + join(caps, ", "),
                   "unless that is meant: unset " + join(names, " "));
  }
  if (has(processor.instruction_sets, "sse4_1") && !has(processor.instruction_sets, "avx2")) {
    return warning("processor", said + "; without AVX2 a run is several times slower",
                   "use a machine, or a kind of virtual processor, that has AVX2");
  }
  return ok("processor", said);
}

HealthLine check_threads(const ThreadFacts& threads) {
  require_threads(threads.granted);
  const std::string said = format_count(threads.granted) + " of " + format_count(threads.online) +
                           " processors" +
                           (threads.because == "machine" ? "" : " (" + threads.because + ")");
  if (threads.granted == 1 && threads.online > 1) {
    return warning("threads", said,
                   "ask the scheduler or the container for more, or start with a wider taskset");
  }
  return ok("threads", said);
}

HealthLine check_memory(const device::MemoryReading& memory) {
  std::optional<std::uint64_t> room = memory.available;
  std::string of = "the machine";
  const auto at_most = [&](const std::optional<std::uint64_t>& limit,
                           const std::optional<std::uint64_t>& used, const char* whose) {
    if (!limit) {
      return;
    }
    const std::uint64_t left = *limit - std::min(*limit, used.value_or(0));
    if (!room || left < *room) {
      room = left;
      of = whose;
    }
  };
  at_most(memory.cgroup_limit, memory.cgroup_used, "the cgroup");
  at_most(memory.address_space_limit, memory.address_space, "the limit on addresses (ulimit -v)");
  if (!room) {
    return warning("memory", "the system does not say how much there is",
                   "give embed a --memory-limit");
  }
  const std::string said =
      format_bytes(*room) + " left of " + of +
      (memory.total ? ", " + format_bytes(*memory.total) + " in all" : std::string());
  const std::string remedy = "end other programs, or raise the limit of the container or the job";
  if (*room < kLeastMemory) {
    return failed("memory", said + ": too little for any model", remedy);
  }
  return *room < kSmallMemory ? warning("memory", said + ": enough for small models only", remedy)
                              : ok("memory", said);
}

HealthLine check_limits(const LimitFacts& limits) {
  if (limits.open_files && *limits.open_files < kFewFiles) {
    const std::string said = format_count(*limits.open_files) + " open files";
    const std::string remedy = "ulimit -n 1024";
    return *limits.open_files < kLeastFiles
               ? failed("limits", said + ": too few for a run", remedy)
               : warning("limits", said + ": too few for a merge of many shards", remedy);
  }
  if (limits.file_bytes) {
    return warning("limits",
                   "a file ends at " + format_bytes(*limits.file_bytes) +
                       ": a run whose arrays are larger ends with 74",
                   "ulimit -f unlimited");
  }
  if (limits.address_space) {
    return warning("limits",
                   "addresses end at " + format_bytes(*limits.address_space) +
                       ": LibTorch reserves far more than it uses",
                   "ulimit -v unlimited, and a limit on memory by the cgroup or --memory-limit");
  }
  return ok("limits", limits.open_files ? format_count(*limits.open_files) + " open files"
                                        : std::string("none"));
}

HealthLine check_streams(const StreamFacts& streams) {
  if (!streams.output_writable) {
    return failed("streams", "standard output is closed: --json and tables are lost",
                  "open it, on /dev/null if need be");
  }
  if (!streams.error_writable) {
    return warning("streams", "standard error is closed: nobody sees progress and warnings",
                   "open it, on a file if need be, or give embed a --log-file");
  }
  return ok("streams", "standard output and standard error can be written to");
}

}  // namespace longhaul::doctor
