// The fake encoder as the program's back-end: longhaul-fake.
#include "backend.hpp"
#include "fakes/fake_encoder.hpp"

namespace longhaul::app {

Backend make_backend(device::FreedMemory) {
  return {.models = fakes::fake_models()};
}

}  // namespace longhaul::app
