// LibTorch looks for its CUDA library once, at the first question about CUDA that it is asked: on a
// machine with an NVIDIA device the library is loaded before any test, as the program does at its
// start.
#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include <catch2/catch.hpp>

#include "torch/device/devices.hpp"

namespace {

struct LoadCudaFirst : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;
  void testRunStarting(const Catch::TestRunInfo&) override {
    if (longhaul::torch_room::list_devices().front().starts_with("cuda")) {
      longhaul::torch_room::open_device("auto");
    }
  }
};

}  // namespace

CATCH_REGISTER_LISTENER(LoadCudaFirst)
