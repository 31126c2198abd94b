// What goes into an encoder and what comes out: plain arrays, no library's types.
// Values; moved between threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace longhaul::encode {

// A part: `rows` x `width` tokens, or `rows` images, computed together. Rows from `used_rows` on
// are dummies that fill a batch to a fixed number of rows; they have length 0 and their result is
// dropped.
struct HostBatch {
  std::uint32_t rows = 0;
  std::uint32_t used_rows = 0;
  std::uint32_t width = 0;             // tokens per row, padding included; 0 for images
  std::vector<std::int64_t> tokens;    // rows x width, row by row; empty for images
  std::vector<std::uint32_t> lengths;  // tokens of each row before padding, special tokens included
  std::vector<std::uint8_t> pixels;    // rows x channels x height x width (card's layout), RGB
};

// What computing it costs (plan/window.hpp). An image counts as one token.
double cost_of(const HostBatch& part);

// Rows [from, from + count) of a batch.
HostBatch slice(const HostBatch& batch, std::uint32_t from, std::uint32_t count);

// The same batch with dummies up to `rows`: rows without tokens, or black images.
HostBatch filled(HostBatch batch, std::uint32_t rows);

// One output's numbers of a part's used rows, float32, row by row: one vector of `dimension` each,
// or, of ArrayKind::kTokens, one for each of the row's residues.
struct EmbeddingBlock {
  std::uint32_t rows = 0;
  std::uint32_t dimension = 0;
  std::vector<float> values;
  // Of kTokens: the vector at which each row begins, and the end of the last (rows + 1 numbers).
  std::vector<std::uint64_t> firsts = {};

  std::span<const float> row(std::uint32_t row) const;
};

// What a part gives: a block for each of the encoder's outputs, in their order.
struct EncodedBatch {
  std::vector<EmbeddingBlock> blocks;
};

}  // namespace longhaul::encode
