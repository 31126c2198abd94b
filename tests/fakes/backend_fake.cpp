// The fake encoder as the program's back-end: longhaul-fake.
#include "backend.hpp"

#include <cstdlib>

#include "base/error.hpp"
#include "fakes/fake_encoder.hpp"

namespace longhaul::app {

Backend make_backend(device::FreedMemory) {
  return {.models = fakes::fake_models(), .try_device = [](const std::string& device) {
            if (device != "cpu" && device != "auto") {
              throw Error(ExitCode::kUnavailable,
                          "--device " + device + " is not there; this machine has cpu",
                          "choose one of these, or --device auto");
            }
            return std::string("cpu");
          }};
}

// As many of CUDA as a test says: FAKE_CUDA_DEVICES=2.
std::vector<std::string> list_devices() {
  std::vector<std::string> list;
  const char* const count = std::getenv("FAKE_CUDA_DEVICES");
  for (int i = 0; count != nullptr && i < std::atoi(count); ++i) {
    list.push_back("cuda:" + std::to_string(i) + " fake");
  }
  list.emplace_back("cpu");
  return list;
}

}  // namespace longhaul::app
