// Facts about this process and machine that run.json, the journal and the lock tell.
// Any thread.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "device/device.hpp"

namespace longhaul::app {

std::string utc_now();  // "2026-11-21T12:00:00Z"
// {"system": "Linux 6.1", "architecture": "x86_64", "cores": 2, "device": "cpu"}
nlohmann::json describe_machine(const std::string& device_name);
// What a vector's bits depend on beside model, input and settings: the processor's model and
// instruction sets, or the GPU's model; LibTorch; this binary; what the environment says of the
// libraries' kernels. Neither host nor cores nor kernel.
nlohmann::json describe_bits_machine(const device::Device& device,
                                     const std::map<std::string, std::string>& environment);
// The variables that change a processor's kernels, as far as they are set.
std::map<std::string, std::string> kernel_variables(
    const std::map<std::string, std::string>& environment);
std::string host_name();
// What a session is before it knows its device: when, where, on what and with which command line.
nlohmann::json describe_session(const std::vector<std::string>& arguments);
// "process 42 on host (SLURM_JOB_ID 7) since ...".
std::string lock_holder(const std::map<std::string, std::string>& environment);

}  // namespace longhaul::app
