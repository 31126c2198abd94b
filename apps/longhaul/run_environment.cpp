#include "run_environment.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/text.hpp"
#include "own_flags.hpp"
#include "process_setup.hpp"
#include "processor.hpp"
#include "version.hpp"

namespace longhaul::app {

namespace {

// What sets a library's kernels, beside the processor or the GPU.
constexpr std::array kOfProcessors{"ATEN_CPU_CAPABILITY",
                                   "ONEDNN_MAX_CPU_ISA",
                                   "DNNL_MAX_CPU_ISA",
                                   "ONEDNN_CPU_ISA_HINTS",
                                   "DNNL_CPU_ISA_HINTS",
                                   "ONEDNN_DEFAULT_FPMATH_MODE",
                                   "DNNL_DEFAULT_FPMATH_MODE",
                                   "MKL_ENABLE_INSTRUCTIONS",
                                   "MKL_CBWR",
                                   "GLIBC_TUNABLES"};
constexpr std::array kOfGpus{"NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
                             "CUBLAS_WORKSPACE_CONFIG", "PYTORCH_MPS_FAST_MATH",
                             "PYTORCH_MPS_PREFER_METAL"};

template <std::size_t count>
void add_variables(const std::array<const char*, count>& names,
                   const std::map<std::string, std::string>& environment, nlohmann::json& machine) {
  for (const char* name : names) {
    if (const auto found = environment.find(name);
        found != environment.end() && !found->second.empty()) {
      machine["environment"][name] = printable(found->second, 400);
    }
  }
}

}  // namespace

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

nlohmann::json describe_machine(const std::string& device_name) {
  utsname system{};
  uname(&system);
  return {{"system", std::string(system.sysname) + " " + system.release},
          {"architecture", system.machine},
          {"cores", std::thread::hardware_concurrency()},
          {"device", device_name}};
}

nlohmann::json describe_bits_machine(const device::Device& device,
                                     const std::map<std::string, std::string>& environment) {
  const nlohmann::json made_by = versions();
  nlohmann::json machine = {{"torch", made_by.at("torch")},
                            {"longhaul", made_by.at("longhaul").get<std::string>() + " " +
                                             made_by.at("commit").get<std::string>()}};
  if (device.kind() == device::DeviceKind::kCpu) {
    const Processor processor = this_processor();
    machine["processor"] = processor.model;
    machine["instruction_sets"] = processor.instruction_sets;
    add_variables(kOfProcessors, environment, machine);
  } else {
    // "cuda:1 NVIDIA H200": the ordinal makes no bits.
    const std::string name = device.name();
    const std::size_t space = name.find(' ');
    machine["gpu"] = space == std::string::npos ? name : name.substr(space + 1);
    add_variables(kOfGpus, environment, machine);
  }
  return machine;
}

std::map<std::string, std::string> kernel_variables(
    const std::map<std::string, std::string>& environment) {
  std::map<std::string, std::string> set;
  for (const char* name : kOfProcessors) {
    if (const auto found = environment.find(name);
        found != environment.end() && !found->second.empty()) {
      set.insert(*found);
    }
  }
  return set;
}

std::string host_name() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return host.data();
}

nlohmann::json describe_session(const std::vector<std::string>& arguments) {
  nlohmann::json command = nlohmann::json::array();
  for (const std::string& word : without_own_flags(arguments)) {
    command.push_back(printable(word, 4096));
  }
  const std::optional<std::string> directory = working_directory();
  const Processor processor = this_processor();
  return {{"start", utc_now()},
          {"stop", nullptr},
          {"command", std::move(command)},
          {"working_directory", directory ? nlohmann::json(printable(*directory, 4096)) : nullptr},
          {"host", host_name()},
          {"processor",
           {{"model", processor.model}, {"instruction_sets", processor.instruction_sets}}}};
}

std::string lock_holder(const std::map<std::string, std::string>& environment) {
  std::string job;
  for (const char* name : {"SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID"}) {
    const auto found = environment.find(name);
    if (job.empty() && found != environment.end() && !found->second.empty()) {
      job = " (" + std::string(name) + " " + printable(found->second) + ")";
    }
  }
  return "process " + std::to_string(getpid()) + " on " + host_name() + job + " since " + utc_now();
}

}  // namespace longhaul::app
