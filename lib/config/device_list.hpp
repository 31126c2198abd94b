// Names of devices in settings: "cuda:0,2" lists several, "cuda:all" is all that there are.
// Free functions; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace longhaul::config {

inline constexpr std::string_view kAllCudaDevices = "cuda:all";

// {"cuda:0", "cuda:2"} of "cuda:0,2"; any other name is itself. Empty for a list with an item that
// is no number, or that is there twice.
std::vector<std::string> listed_devices(const std::string& device);
// Whether it may stand for more than one: a list, or all.
bool names_several(const std::string& device);
// For a command of one device; `what` it does with it: "bench measures". Throws Error(kUsage).
void require_one_device(const std::string& device, const std::string& what);

}  // namespace longhaul::config
