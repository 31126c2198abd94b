// The TorchScript encoder. No LibTorch header: everything that includes one is in this room.
// One thread: the one that makes the encoder uses it and destroys it. Failures: Error as
// encode/encoder.hpp says; a model that breaks its card's contract is Error(kBadData) before
// anything is embedded.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "encode/encoder.hpp"
#include "encode/model_file.hpp"

namespace longhaul {

// Hash and card of a model file. Runs nothing of the model.
ModelFile read_torchscript_model(const std::string& path,
                                 const std::optional<std::string>& card_path = std::nullopt,
                                 const std::optional<std::string>& sha256 = std::nullopt);

// Loads and freezes the model, checks its contract with two shapes and its golden vectors.
// `options` has pooling and normalize as the run wants them: the card's are not looked at.
std::unique_ptr<Encoder> make_encoder(const ModelFile& model, const EncoderOptions& options,
                                      Log& log);
// The same for a model that was not read before.
std::unique_ptr<Encoder> make_encoder(const EncoderOptions& options, Log& log);

}  // namespace longhaul
