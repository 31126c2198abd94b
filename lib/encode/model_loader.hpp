// How models are read and encoders are made: chosen by the build, LibTorch's or a fake's.
// A value; one thread. What it makes belongs to the caller.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "encode/encoder.hpp"
#include "encode/model_file.hpp"

namespace longhaul::encode {

struct ModelLoader {
  // Hash and card of a model file, without loading the module. Refuses any file whose SHA-256 is
  // not `sha256`. Throws Error(kBadData, kIo).
  std::function<ModelFile(const std::string& path, const std::optional<std::string>& card_path,
                          const std::optional<std::string>& sha256)>
      read_model;
  std::function<std::unique_ptr<Encoder>(const ModelFile&, const EncoderOptions&, Log&)>
      make_encoder;
};

}  // namespace longhaul::encode
