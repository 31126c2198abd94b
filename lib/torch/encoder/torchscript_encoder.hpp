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

namespace longhaul::torch_room {

// Hash and card of a model file. Runs nothing of the model.
encode::ModelFile read_torchscript_model(const std::string& path,
                                         const std::optional<std::string>& card_path = std::nullopt,
                                         const std::optional<std::string>& sha256 = std::nullopt);

// Loads and freezes the model, checks its contract with two shapes and its golden vectors.
// `options` has pooling and normalize as the run wants them: the card's are not looked at.
std::unique_ptr<encode::Encoder> make_encoder(const encode::ModelFile& model,
                                              const encode::EncoderOptions& options, Log& log);
// The same for a model that was not read before.
std::unique_ptr<encode::Encoder> make_encoder(const encode::EncoderOptions& options, Log& log);

}  // namespace longhaul::torch_room
