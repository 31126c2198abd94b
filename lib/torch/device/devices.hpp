// Which devices there are, and opening the one a run asks for. No LibTorch header.
// The encoding thread. Asking for an absent device, or one that fails, is Error(kUnavailable).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "device/device.hpp"

namespace longhaul::torch_room {

// What is there, best first: "cuda:0 NVIDIA H200", "mps", "cpu".
std::vector<std::string> list_devices();

// `name` is auto, cpu, cuda, cuda:N or mps; auto is cuda, then mps, then cpu. With an NVIDIA device
// present auto never falls back to the CPU: a device that fails ends the run.
std::unique_ptr<device::Device> open_device(const std::string& name);

}  // namespace longhaul::torch_room
