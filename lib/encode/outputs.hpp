// Which of a card's outputs a run takes, and which outputs an encoder gives of them: known before a
// model is loaded. Free functions; any thread. Throw Error(kUsage) for a name that there is not.
#pragma once

#include <vector>

#include "domain/output_spec.hpp"
#include "encode/card.hpp"
#include "encode/encoder.hpp"

namespace longhaul::encode {

// In the order of the options; the card's default where they name none.
std::vector<CardOutput> chosen_outputs(const EncoderCard& card, const EncoderOptions& options);

// In the order of EncodedBatch::blocks: the vectors of each layer, then the residues of the first.
// Their type in the files is not an encoder's affair.
std::vector<OutputSpec> outputs_of(const EncoderCard& card, const EncoderOptions& options);

}  // namespace longhaul::encode
