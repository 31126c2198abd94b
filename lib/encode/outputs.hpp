// Which outputs an encoder gives of a card under a run's options: known before a model is loaded.
// Free functions; any thread.
#pragma once

#include <vector>

#include "domain/output_spec.hpp"
#include "encode/card.hpp"
#include "encode/encoder.hpp"

namespace longhaul::encode {

// In the order of EncodedBatch::blocks. Their type in the files is not an encoder's affair.
std::vector<OutputSpec> outputs_of(const EncoderCard& card, const EncoderOptions& options);

}  // namespace longhaul::encode
