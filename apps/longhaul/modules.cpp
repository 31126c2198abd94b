#include "modules.hpp"

#include <dlfcn.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "base/error.hpp"

namespace longhaul::app {

// Where Linux says it is, else as it was called.
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

namespace {

struct Module {
  const char* file;
  const char* what;
  const char* option;  // of the build
};

// The function of that name. Symbols of the module stay its own: one of its libraries may be a
// BLAS, which must not replace LibTorch's.
void* function_of(const Module& module, const char* name) {
  const std::string path = (program_folder() / module.file).string();
  void* loaded = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (loaded == nullptr) {
    throw Error(ExitCode::kUnavailable,
                std::string("cannot load the ") + module.what + " module: " + dlerror(),
                std::string("build with ") + module.option + "=ON, and keep " + module.file +
                    " beside the program");
  }
  return dlsym(loaded, name);
}

template <typename Made>
std::unique_ptr<Made> require_same_build(Made* made, const Module& module) {
  if (made == nullptr) {
    throw Error(ExitCode::kUnavailable,
                std::string(module.file) + " belongs to another build of this program",
                "build again, so that both are made together");
  }
  return std::unique_ptr<Made>(made);
}

}  // namespace

std::unique_ptr<prepare::Preprocessor> load_image_preprocessor(
    const prepare::ImageSettings& settings) {
  constexpr Module kModule{"liblonghaul_vision.so", "image", "LONGHAUL_VISION"};
  auto* make = reinterpret_cast<prepare::MakeImagePreprocessor*>(
      function_of(kModule, prepare::kMakeImagePreprocessor));
  return require_same_build(make == nullptr ? nullptr : make(prepare::kImageModuleAbi, &settings),
                            kModule);
}

std::unique_ptr<export_room::DatabaseTable> open_database_table(
    const export_room::DatabaseTarget& target) {
  constexpr Module kModule{"liblonghaul_postgres.so", "PostgreSQL", "LONGHAUL_POSTGRES"};
  auto* open = reinterpret_cast<export_room::OpenDatabaseTable*>(
      function_of(kModule, export_room::kOpenDatabaseTable));
  return require_same_build(
      open == nullptr ? nullptr : open(export_room::kDatabaseModuleAbi, &target), kModule);
}

export_room::MakeSink h5_sink(export_room::H5Layout layout, export_room::NameKey key) {
  constexpr Module kModule{"liblonghaul_h5.so", "HDF5", "LONGHAUL_HDF5"};
  auto* make =
      reinterpret_cast<export_room::MakeH5Sink*>(function_of(kModule, export_room::kMakeH5Sink));
  return [=](Files& files, const std::string& path, const export_room::TableSchema& schema) {
    const export_room::H5Target target{&files, &path, &schema, layout, key};
    return require_same_build(make == nullptr ? nullptr : make(export_room::kH5ModuleAbi, &target),
                              kModule);
  };
}

}  // namespace longhaul::app
