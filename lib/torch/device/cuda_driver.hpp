// The NVIDIA driver, asked without CUDA headers, before LibTorch's CUDA library (230 MB, up to a
// second) is loaded. Any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace longhaul::torch_room {

struct CudaDriver {
  std::vector<std::string> devices;    // names by ordinal
  std::optional<std::string> failure;  // a driver is there, but does not answer as it should
};

CudaDriver ask_cuda_driver();

// Loads libtorch_cuda.so from beside libtorch_cpu. It must happen before LibTorch is first asked
// about CUDA, or CUDA stays unknown to the process. Error(kUnavailable) when it cannot be loaded.
void load_torch_cuda();

}  // namespace longhaul::torch_room
