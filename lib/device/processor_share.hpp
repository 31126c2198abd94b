// What of a machine's processors this process may use. Any thread; what cannot be told is nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace longhaul::device {

struct ProcessorShare {
  std::optional<std::uint64_t> affinity;  // processors it may run on
  std::optional<std::uint64_t> quota;     // of the cgroups around it, rounded up to whole ones
};

// `root` is where /proc and /sys are.
ProcessorShare processor_share(const std::string& root = "/");

}  // namespace longhaul::device
