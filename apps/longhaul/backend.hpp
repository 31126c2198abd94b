// The encoder this program is linked with: LibTorch's (backend_torch.cpp), or the fake that drives
// the tests (tests/fakes/backend_fake.cpp). Chosen by the build, so that every other part is the
// same.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "device/device.hpp"
#include "encode/model_loader.hpp"
#include "score/products.hpp"

namespace longhaul::app {

struct Backend {
  encode::ModelLoader models;
  // For `longhaul inspect`: what loading and trying a module tells
  // (torch/encoder/inspect_module.hpp). Empty where there is no module to load.
  std::function<nlohmann::json(const std::string& path, const std::string& method)>
      describe_module{};
  std::function<nlohmann::json(const std::string& path)> draft_card{};
  // For `longhaul bench`: operations per second (torch/graph/product_peak.hpp).
  std::function<double(const nlohmann::json& products, const std::string& device, Dtype dtype)>
      measure_product_peak{};
  // For `longhaul bench --profile` (torch/graph/operation_times.hpp). Empty where there are no
  // operators to look at.
  std::function<nlohmann::json(const std::function<void()>& work)> operation_times{};
  // For `longhaul doctor`: the name of a device that was opened and works, or an
  // Error(kUnavailable). Empty where this program has no encoder.
  std::function<std::string(const std::string& device)> try_device{};
  // For `longhaul neighbours`, on a device that is opened. Empty where there is no library made for
  // it: the program's own (score::plain_products()) is slow.
  std::function<std::unique_ptr<score::Products>(const std::string& device, std::uint32_t threads)>
      make_products{};
};

// What there is to compute on, best first: "cuda:0 NVIDIA H200", "mps", "cpu".
std::vector<std::string> list_devices();

// Called before any thread is started: it may change settings of the whole process.
Backend make_backend(device::FreedMemory freed = device::FreedMemory::kKept);

}  // namespace longhaul::app
