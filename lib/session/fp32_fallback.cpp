#include "session/fp32_fallback.hpp"

#include <utility>

namespace longhaul::session {

std::function<encode::Encoder&()> fp32_fallback(const Workshop& workshop,
                                                const encode::ModelFile& model,
                                                encode::EncoderOptions options, Log& log) {
  if (options.dtype == Dtype::kFp32) {
    return {};
  }
  options.dtype = Dtype::kFp32;
  options.choices = nullptr;
  // Functions are copied; the encoder is one.
  const auto encoder = std::make_shared<std::unique_ptr<encode::Encoder>>();
  return [&workshop, &model, &log, options = std::move(options), encoder]() -> encode::Encoder& {
    if (!*encoder) {
      *encoder = workshop.models.make_encoder(model, options, log);
    }
    return **encoder;
  };
}

}  // namespace longhaul::session
