// How far --fast-decode moves the vectors of the run's own images: the first ones that it decodes
// at a smaller scale are embedded both ways and compared. The encoding thread. Throws what the
// reader and the encoder throw, but for want of memory.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "encode/encoder.hpp"
#include "input/record_reader.hpp"
#include "prepare/preprocessor.hpp"
#include "session/engine.hpp"
#include "session/host.hpp"
#include "session/session_input.hpp"

namespace longhaul::session {

struct DriftParts {
  input::RecordReader& reader;  // of the input, from its beginning
  const prepare::Preprocessor& whole;
  const prepare::Preprocessor& fast;
  encode::Encoder& encoder;
  std::uint32_t rows = 1;  // of a part, as the run computes them
};

// For run.json: {"compared": 16, "looked_at": 20, "least_cosine": 0.9993, "mean_cosine": 0.9998}.
// Of the first 64 records at most 16 are compared. Where none was decoded at a smaller scale, or
// there was no memory, "compared" is 0 and there are no cosines.
nlohmann::json decode_drift(const DriftParts& parts);

// The same in words: "least cosine 0.99931, mean 0.99984 with whole decoding, of 16 images".
std::string drift_text(const nlohmann::json& drift);

// decode_drift() of a session's input, which is opened once more for it; of a stream nothing is
// compared. Tells the log, and warns where vectors move far.
nlohmann::json measure_drift(const Host& host, const config::RunConfig& config,
                             const encode::EncoderCard& card, const SessionInput& input,
                             const Engine& engine);

}  // namespace longhaul::session
