// Encoders of the small archives, what they say no to, and the numbers they give. Included behind
// LibTorch's headers, whose CHECK is undefined first.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "models.hpp"
#include "torch/encoder/torchscript_encoder.hpp"

namespace longhaul::torch_room::test {

inline std::string refusal(const encode::EncoderOptions& options,
                           ExitCode code = ExitCode::kBadData) {
  NullLog log;
  try {
    make_encoder(options, log);
  } catch (const Error& error) {
    CHECK(error.code() == code);
    CHECK_FALSE(error.remedy().empty());
    const std::string what = error.what();
    CHECK(what.find('\n') == std::string::npos);  // one line
    return what;
  }
  FAIL("accepted " << options.model_path);
  return "";
}

inline std::unique_ptr<encode::Encoder> encoder_for(const std::string& name) {
  NullLog log;
  return make_encoder(options_for(name), log);
}

inline std::vector<float> row_of(const encode::EncodedBatch& encoded, std::uint32_t row) {
  const std::span<const float> numbers = encoded.blocks.front().row(row);
  return {numbers.begin(), numbers.end()};
}

inline const std::vector<float>& values_of(const encode::EncodedBatch& encoded) {
  return encoded.blocks.front().values;
}

}  // namespace longhaul::torch_room::test
