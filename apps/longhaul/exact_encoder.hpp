// The encoder in float32 beside one of half precision, for rows that come out not finite.
#pragma once

#include <functional>

#include "backend.hpp"

namespace longhaul::app {

// Loads it at the first call and keeps it as long as the function lives. Empty where `options` are
// float32 already. Borrows the backend, the model and the log.
std::function<encode::Encoder&()> exact_encoder(const Backend& backend,
                                                const encode::ModelFile& model,
                                                encode::EncoderOptions options, Log& log);

}  // namespace longhaul::app
