// Names of devices in settings: "cuda:0,2" lists several, "cuda:all" is all that there are.
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace longhaul::config {

inline constexpr std::string_view kAllCudaDevices = "cuda:all";

// {"cuda:0", "cuda:2"} of "cuda:0,2"; any other name is itself. Empty for a list with an item that
// is no number, or that is there twice.
std::vector<std::string> listed_devices(const std::string& device);

}  // namespace longhaul::config
