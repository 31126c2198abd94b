// How one command becomes several processes: how many, on which devices, with which share of the
// machine. Each is given its share as one word, beside the command's own arguments.
// Pure functions of a configuration and of what the machine has; any thread. Throw Error: kUsage
// for what cannot be divided so, kUnavailable for devices that are not there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/run_config.hpp"
#include "domain/shard.hpp"

namespace longhaul::launch {

// What there is to be shared out.
struct Machine {
  std::uint32_t threads = 1;
  std::optional<std::uint64_t> memory;  // what a single process would keep below
  std::vector<std::string> devices;     // "cuda:0 NVIDIA H200", "cpu"
};

// What one of the processes is given.
struct ProcessShare {
  Shard shard;
  std::string device;         // "auto", "cuda:1"
  std::uint32_t threads = 1;  // that it may keep busy
  std::optional<std::uint64_t> memory_limit;
  friend bool operator==(const ProcessShare&, const ProcessShare&) = default;
};

// Whether the settings ask for several, or for all devices there are.
bool asks_for_processes(const config::RunConfig& config);

// One for each process; a single one where one is all that there is work for.
std::vector<ProcessShare> plan_processes(const config::RunConfig& config, const Machine& machine);

// "2,8,cuda:1,4,-": for the command line of a process. Reading throws Error(kUsage) for what no
// process of ours was given.
std::string to_text(const ProcessShare& share);
ProcessShare process_share_from_text(const std::string& text);

// The settings of a process, from those of the command. What it says goes to the process that
// started it, which has the log file, the summary and the display.
void take_share(config::RunConfig& config, const ProcessShare& share);

}  // namespace longhaul::launch
