// The encoder in float32 beside one of half precision, for rows that come out not finite.
#pragma once

#include <functional>

#include "session/workshop.hpp"

namespace longhaul::session {

// Loads it at the first call and keeps it as long as the function lives. Empty where `options` are
// float32 already. Borrows the workshop, the model and the log.
std::function<encode::Encoder&()> fp32_fallback(const Workshop& workshop,
                                                const encode::ModelFile& model,
                                                encode::EncoderOptions options, Log& log);

}  // namespace longhaul::session
