// What processor this is. Any thread.
#pragma once

#include <string>
#include <vector>

namespace longhaul::app {

struct Processor {
  std::string model;                          // "AMD EPYC 9634 84-Core Processor"
  std::vector<std::string> instruction_sets;  // those that kernels choose by, sorted
};

// From /proc/cpuinfo, or sysctl on macOS; "unknown" where neither tells.
Processor this_processor();

}  // namespace longhaul::app
