#include "vision_module.hpp"

#include <dlfcn.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "base/error.hpp"

namespace longhaul::app {
namespace {

// The folder of the program: where Linux says it is, else as it was called.
std::filesystem::path program_folder() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    return self.parent_path();
  }
  Dl_info info{};
  dladdr(reinterpret_cast<const void*>(&program_folder), &info);
  return std::filesystem::canonical(info.dli_fname).parent_path();
}

}  // namespace

std::unique_ptr<prepare::Preprocessor> load_image_preprocessor(
    const prepare::ImageSettings& settings) {
  const std::string path = (program_folder() / "liblonghaul_vision.so").string();
  // Its symbols stay its own: one of its libraries is a BLAS, which must not replace LibTorch's.
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) {
    throw Error(ExitCode::kUnavailable, std::string("cannot load the image module: ") + dlerror(),
                "build with LONGHAUL_VISION=ON, and keep liblonghaul_vision.so beside the program");
  }
  auto* make = reinterpret_cast<prepare::MakeImagePreprocessor*>(
      dlsym(module, prepare::kMakeImagePreprocessor));
  std::unique_ptr<prepare::Preprocessor> made(
      make == nullptr ? nullptr : make(prepare::kImageModuleAbi, &settings));
  if (!made) {
    throw Error(ExitCode::kUnavailable, path + " belongs to another build of this program",
                "build again, so that both are made together");
  }
  return made;
}

}  // namespace longhaul::app
