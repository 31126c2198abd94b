#include "config/device_list.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::config {

std::vector<std::string> listed_devices(const std::string& device) {
  constexpr std::string_view kCuda = "cuda:";
  if (device == kAllCudaDevices || !device.starts_with(kCuda)) {
    return {device};
  }
  std::vector<std::string> devices;
  for (std::size_t at = kCuda.size(); at <= device.size();) {
    const std::size_t comma = std::min(device.find(',', at), device.size());
    const auto ordinal = parse_count(std::string_view(device).substr(at, comma - at));
    const std::string name = ordinal ? std::string(kCuda) + std::to_string(*ordinal) : "";
    if (!ordinal || std::find(devices.begin(), devices.end(), name) != devices.end()) {
      return {};
    }
    devices.push_back(name);
    at = comma + 1;
  }
  return devices;
}

bool names_several(const std::string& device) {
  return device == kAllCudaDevices || listed_devices(device).size() > 1;
}

void require_one_device(const std::string& device, const std::string& what) {
  if (names_several(device)) {
    throw Error(ExitCode::kUsage, "--device " + printable(device) + ": " + what + " one device",
                "name one, as in --device cuda:0, and give the command for each");
  }
}

}  // namespace longhaul::config
