// The fake encoder as the program's back-end: longhaul-fake.
#include "backend.hpp"
#include "base/error.hpp"
#include "fakes/fake_encoder.hpp"

namespace longhaul::app {

Backend make_backend(device::FreedMemory) {
  return {.models = fakes::fake_models(),
          .list_devices = [] { return std::vector<std::string>{"cpu"}; },
          .try_device =
              [](const std::string& device) {
                if (device != "cpu" && device != "auto") {
                  throw Error(ExitCode::kUnavailable,
                              "--device " + device + " is not there; this machine has cpu",
                              "choose one of these, or --device auto");
                }
                return std::string("cpu");
              }};
}

}  // namespace longhaul::app
