#include "processor.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

namespace longhaul::app {
namespace {

constexpr std::array kChosenBy{
    "amx_bf16",    "amx_fp16",    "amx_int8",    "amx_tile", "asimd",    "avx",     "avx2",
    "avx512_bf16", "avx512_fp16", "avx512_vnni", "avx512bw", "avx512dq", "avx512f", "avx512vl",
    "avx_vnni",    "bf16",        "f16c",        "fma",      "i8mm",     "sse4_1",  "sve"};

}  // namespace

#ifdef __APPLE__
Processor this_processor() {
  std::array<char, 256> name{};
  std::size_t size = name.size() - 1;
  const bool known = sysctlbyname("machdep.cpu.brand_string", name.data(), &size, nullptr, 0) == 0;
  return {known ? name.data() : "unknown", {}};
}
#else
Processor this_processor() {
  Processor processor{"unknown", {}};
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line) && !line.empty();) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || colon + 2 > line.size()) {
      continue;
    }
    const std::string value = line.substr(colon + 2);
    if (line.starts_with("model name")) {
      processor.model = value;
    } else if (line.starts_with("flags") || line.starts_with("Features")) {
      std::istringstream words(value);
      for (std::string word; words >> word;) {
        if (std::find(kChosenBy.begin(), kChosenBy.end(), word) != kChosenBy.end()) {
          processor.instruction_sets.push_back(word);
        }
      }
    }
  }
  std::sort(processor.instruction_sets.begin(), processor.instruction_sets.end());
  return processor;
}
#endif

}  // namespace longhaul::app
