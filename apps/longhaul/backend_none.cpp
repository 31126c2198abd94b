#include "backend.hpp"
#include "base/error.hpp"

namespace longhaul::app {
namespace {

Error no_encoder() {
  return Error(ExitCode::kUnavailable, "this build has no LibTorch and cannot embed",
               "build it with -DLONGHAUL_TORCH=ON");
}

}  // namespace

Backend make_backend(device::FreedMemory) {
  return {.models = {.read_model = [](const auto&, const auto&, const auto&) -> encode::ModelFile {
                       throw no_encoder();
                     },
                     .make_encoder = [](const auto&, const auto&, auto&)
                         -> std::unique_ptr<encode::Encoder> { throw no_encoder(); }}};
}

std::vector<std::string> list_devices() {
  return {"cpu"};
}

}  // namespace longhaul::app
