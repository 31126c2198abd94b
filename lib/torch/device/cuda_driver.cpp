#include "torch/device/cuda_driver.hpp"

#include <c10/core/Allocator.h>
#include <dlfcn.h>

#include <array>
#include <filesystem>

#include "base/error.hpp"

namespace longhaul::torch_room {
namespace {

// CUresult values. No device is here, or CUDA_VISIBLE_DEVICES hides it, with kNoDevice; with
// kStubLibrary the driver found is the one that programs are linked with where there is none.
constexpr int kSuccess = 0;
constexpr int kStubLibrary = 34;
constexpr int kNoDevice = 100;

template <typename Function>
Function find(void* library, const char* name) {
  return reinterpret_cast<Function>(dlsym(library, name));
}

CudaDriver failed(const char* call, int result) {
  CudaDriver driver;
  driver.failure = std::string(call) + " gives error " + std::to_string(result);
  return driver;
}

}  // namespace

CudaDriver ask_cuda_driver() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return {};
  }
  const auto init = find<int (*)(unsigned)>(library, "cuInit");
  const auto get_count = find<int (*)(int*)>(library, "cuDeviceGetCount");
  const auto get_name = find<int (*)(char*, int, int)>(library, "cuDeviceGetName");
  if (init == nullptr || get_count == nullptr || get_name == nullptr) {
    return {};
  }
  const int started = init(0);
  if (started == kNoDevice || started == kStubLibrary) {
    return {};
  }
  if (started != kSuccess) {
    return failed("cuInit", started);
  }
  int count = 0;
  if (const int result = get_count(&count); result != kSuccess) {
    return failed("cuDeviceGetCount", result);
  }
  CudaDriver driver;
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    std::array<char, 256> name{};
    // The handle of device N is N.
    const int result = get_name(name.data(), static_cast<int>(name.size()) - 1, ordinal);
    driver.devices.emplace_back(result == kSuccess ? name.data() : "NVIDIA device");
  }
  return driver;
}

void load_torch_cuda() {
  Dl_info info{};
  const auto* anchor = reinterpret_cast<const void*>(&c10::GetAllocator);
  if (dladdr(anchor, &info) == 0 || info.dli_fname == nullptr) {
    throw Error(ExitCode::kInternal, "LibTorch's own folder cannot be found", "");
  }
  const std::filesystem::path library =
      std::filesystem::path(info.dli_fname).parent_path() / "libtorch_cuda.so";
  if (dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    const char* reason = dlerror();
    throw Error(ExitCode::kUnavailable,
                "an NVIDIA device is present, but LibTorch's CUDA library does not load: " +
                    std::string(reason != nullptr ? reason : library.c_str()),
                "install a LibTorch with CUDA, or choose --device cpu");
  }
}

}  // namespace longhaul::torch_room
