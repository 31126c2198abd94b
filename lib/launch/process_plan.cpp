#include "launch/process_plan.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "config/device_list.hpp"

namespace longhaul::launch {
namespace {

constexpr const char* kNone = "-";

std::vector<std::string> cuda_devices(const Machine& machine) {
  std::vector<std::string> devices;
  for (const std::string& device : machine.devices) {
    if (device.starts_with("cuda:")) {
      devices.push_back(device.substr(0, device.find(' ')));
    }
  }
  return devices;
}

// A device for each process; "auto" where each finds the same by itself.
std::vector<std::string> devices_of(const config::RunConfig& config, const Machine& machine) {
  const std::vector<std::string> cuda = cuda_devices(machine);
  if (config.device == config::kAllCudaDevices) {
    // None: whoever opens the first says what is wrong.
    const std::vector<std::string> all = cuda.empty() ? std::vector<std::string>{"cuda:0"} : cuda;
    if (config.processes && *config.processes != all.size()) {
      throw Error(ExitCode::kUsage,
                  "--processes " + std::to_string(*config.processes) + " and --device " +
                      config.device + ", which are " + std::to_string(all.size()) + " here",
                  "leave out --processes: there is one for each device");
    }
    return all;
  }
  const std::vector<std::string> listed = config::listed_devices(config.device);
  if (listed.size() > 1) {
    return listed;
  }
  const std::uint32_t count = config.processes.value_or(1);
  if (config.device != "auto") {
    return std::vector<std::string>(count, config.device);
  }
  const bool mps =
      std::find(machine.devices.begin(), machine.devices.end(), "mps") != machine.devices.end();
  if (count > 1 && (mps || (!cuda.empty() && cuda.size() < count))) {
    throw Error(ExitCode::kUsage,
                "--processes " + std::to_string(count) + ": there is one process a device, and " +
                    "--device auto finds " + (mps ? "mps" : join(cuda, ", ")) + " here",
                mps ? "leave out --processes, or give --device cpu"
                    : "give --device cuda:all without --processes, or --device cpu");
  }
  if (count == 1 || cuda.empty()) {
    return std::vector<std::string>(count, "auto");
  }
  return {cuda.begin(), cuda.begin() + count};
}

// The first ones have one more where it does not divide.
std::uint32_t share_of(std::uint32_t all, std::size_t index, std::size_t count) {
  const auto n = static_cast<std::uint32_t>(count);
  return std::max(1U, all / n + (index < all % n ? 1U : 0U));
}

}  // namespace

bool asks_for_processes(const config::RunConfig& config) {
  return config.processes.value_or(1) > 1 || config::names_several(config.device);
}

std::vector<ProcessShare> plan_processes(const config::RunConfig& config, const Machine& machine) {
  const std::vector<std::string> devices = devices_of(config, machine);
  const std::optional<std::uint64_t> memory =
      config.memory_limit ? config.memory_limit : machine.memory;
  std::vector<ProcessShare> shares;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    ProcessShare& share = shares.emplace_back();
    share.shard = {i + 1, devices.size()};
    share.device = devices[i];
    share.threads = share_of(machine.threads, i, devices.size());
    if (devices.size() == 1) {
      share.memory_limit = config.memory_limit;
    } else if (memory) {
      share.memory_limit = *memory / devices.size();
    }
  }
  return shares;
}

std::string to_text(const ProcessShare& share) {
  return std::to_string(share.shard.index) + "," + std::to_string(share.shard.count) + "," +
         share.device + "," + std::to_string(share.threads) + "," +
         (share.memory_limit ? std::to_string(*share.memory_limit) : kNone);
}

ProcessShare process_share_from_text(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    parts.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  if (parts.size() == 5) {
    const std::uint64_t index = parse_count(parts[0]).value_or(0);
    const std::uint64_t count = parse_count(parts[1]).value_or(0);
    const std::uint64_t threads = parse_count(parts[3]).value_or(0);
    const std::optional<std::uint64_t> memory = parse_count(parts[4]);
    if (index >= 1 && index <= count && threads >= 1 && threads <= UINT32_MAX &&
        (memory || parts[4] == kNone)) {
      return {{index, count}, parts[2], static_cast<std::uint32_t>(threads), memory};
    }
  }
  throw Error(ExitCode::kUsage, "a share of a run is the program's own, and not " + printable(text),
              "leave it out, and use --processes or --shard");
}

void take_share(config::RunConfig& config, const ProcessShare& share) {
  config.shard = {share.shard.index, share.shard.count};
  config.device = share.device;
  config.memory_limit = share.memory_limit;
  config.overwrite = false;  // done once, for all
  config.progress = ProgressStyle::kJson;
  config.quiet = false;
  config.json = false;
  config.log_file.reset();
  config.metrics_file.reset();
}

}  // namespace longhaul::launch
