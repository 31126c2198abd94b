// The inputs of a card's golden vectors as batches of one row.
// Pure functions; any thread. A golden input the card itself cannot spell is Error(kBadData).
#pragma once

#include <string_view>

#include "encode/batch.hpp"
#include "encode/card.hpp"

namespace longhaul::encode {

// A sequence: its residues, each one an `allowed` letter, between the prepended and the appended
// token, without padding. An image: "pattern:N" (see pattern_pixel), size x size, in the card's
// layout, as it enters the encoder: nothing is decoded or resized.
HostBatch golden_batch(const EncoderCard& card, std::string_view input);

// Pixel of the generated image "pattern:N": the same formula is a line of numpy in the exporters,
//   (x * (7 + 2c) + y * (13 + 3c) + x * y // 16 + 31 N) % 256   for channel c = 0 (red), 1, 2.
std::uint8_t pattern_pixel(std::uint32_t channel, std::uint32_t y, std::uint32_t x,
                           std::uint32_t n);

}  // namespace longhaul::encode
