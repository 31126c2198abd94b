#include "encode/outputs.hpp"

namespace longhaul::encode {

std::vector<OutputSpec> outputs_of(const EncoderCard& card, const EncoderOptions& options) {
  std::vector<OutputSpec> outputs;
  if (options.pooling != Pooling::kNone) {
    outputs.push_back({.dimension = card.dimension});
  }
  if (options.tokens) {
    outputs.push_back({.name = "tokens", .kind = ArrayKind::kTokens, .dimension = card.dimension});
  }
  return outputs;
}

}  // namespace longhaul::encode
