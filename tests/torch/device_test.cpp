#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "torch/device/devices.hpp"

using namespace longhaul;
using namespace longhaul::torch_room;
using Catch::Matchers::Contains;

namespace {

bool has(const std::string& kind) {
  for (const std::string& device : list_devices()) {
    if (device.starts_with(kind)) {
      return true;
    }
  }
  return false;
}

// What every device must do, whatever it is.
void check_contract(device::Device& device) {
  CHECK_FALSE(device.name().empty());
  device.synchronize();
  const device::DeviceMemory before = device.memory();
  CHECK(before.allocated);
  device.release_cache();
  device.release_cache();
  device.synchronize();
  const device::DeviceMemory after = device.memory();
  CHECK(after.allocated == before.allocated);
  if (after.reserved) {
    CHECK(*after.reserved >= *after.allocated);
  }
  if (after.total) {
    CHECK(after.free <= after.total);
  }
}

}  // namespace

TEST_CASE("the CPU is always there and keeps the contract") {
  CHECK(list_devices().back() == "cpu");
  const auto device = open_device("cpu");
  CHECK(device->kind() == device::DeviceKind::kCpu);
  check_contract(*device);
}

TEST_CASE("every device of this machine keeps the contract") {
  for (const std::string& name : list_devices()) {
    INFO(name);
    check_contract(*open_device(name.substr(0, name.find(' '))));
  }
}

TEST_CASE("auto takes the best device there is") {
  const auto device = open_device("auto");
  CHECK(device->name() == list_devices().front());
}

TEST_CASE("a device that is not there is 69 and says what is") {
  for (const std::string name : {"cuda", "cuda:97", "mps"}) {
    if (name != "cuda:97" && has(name)) {
      continue;
    }
    try {
      open_device(name);
      FAIL("opened " << name);
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::kUnavailable);
      CHECK_THAT(error.what(), Contains(name) && Contains("cpu"));
    }
  }
}

TEST_CASE("a device of an unknown name is a usage error") {
  for (const char* name : {"gpu", "cuda:", "cuda:x", "CPU", ""}) {
    INFO(name);
    try {
      open_device(name);
      FAIL("opened");
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::kUsage);
    }
  }
}
