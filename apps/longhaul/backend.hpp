// The encoder this program is linked with: LibTorch's (backend_torch.cpp), or the fake that drives
// the tests (tests/fakes/backend_fake.cpp). Chosen by the build, so that every other part is the
// same.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "encode/encoder.hpp"
#include "encode/model_file.hpp"

namespace longhaul::app {

struct Backend {
  // Hash and card of a model file, without loading the module. Refuses any file whose SHA-256 is
  // not `sha256`. Throws Error(kBadData, kIo).
  std::function<encode::ModelFile(const std::string& path,
                                  const std::optional<std::string>& card_path,
                                  const std::optional<std::string>& sha256)>
      read_model;
  std::function<std::unique_ptr<encode::Encoder>(const encode::ModelFile&,
                                                 const encode::EncoderOptions&, Log&)>
      make_encoder;
  // For `longhaul inspect`: what loading and trying a module tells (torch/inspect_module.hpp).
  // Empty where there is no module to load.
  std::function<nlohmann::json(const std::string& path, const std::string& method)>
      describe_module{};
  std::function<nlohmann::json(const std::string& path)> draft_card{};
  // For `longhaul bench`: operations per second (torch/product_peak.hpp).
  std::function<double(const nlohmann::json& products, const std::string& device, Dtype dtype)>
      measure_product_peak{};
};

// Called before any thread is started: it may change settings of the whole process.
Backend make_backend(device::FreedMemory freed = device::FreedMemory::kKept);

}  // namespace longhaul::app
