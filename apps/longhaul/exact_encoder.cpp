#include "exact_encoder.hpp"

#include <utility>

namespace longhaul::app {

std::function<encode::Encoder&()> exact_encoder(const Backend& backend,
                                                const encode::ModelFile& model,
                                                encode::EncoderOptions options, Log& log) {
  if (options.dtype == Dtype::kFp32) {
    return {};
  }
  options.dtype = Dtype::kFp32;
  options.choices = nullptr;
  // Functions are copied; the encoder is one.
  const auto encoder = std::make_shared<std::unique_ptr<encode::Encoder>>();
  return [&backend, &model, &log, options = std::move(options), encoder]() -> encode::Encoder& {
    if (!*encoder) {
      *encoder = backend.make_encoder(model, options, log);
    }
    return **encoder;
  };
}

}  // namespace longhaul::app
