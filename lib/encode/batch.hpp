// What goes into an encoder and what comes out: plain arrays, no library's types.
// Values; moved between threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace longhaul::encode {

// Columns of a row of tokens, [first, last).
struct Columns {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::uint32_t count() const { return last > first ? last - first : 0; }
};

// A part: `rows` x `width` tokens, or `rows` images, computed together. Rows from `used_rows` on
// are dummies that fill a batch to a fixed number of rows; they have length 0 and their result is
// dropped.
struct HostBatch {
  std::uint32_t rows = 0;
  std::uint32_t used_rows = 0;
  std::uint32_t width = 0;             // tokens per row, padding included; 0 for images
  std::vector<std::int64_t> tokens;    // rows x width, row by row; empty for images
  std::vector<std::uint32_t> lengths;  // tokens of each row before padding, special tokens included
  // Of a row that is a segment of a longer record: the columns of the residues that are taken from
  // it; none of a row that is a whole record. Empty where all are.
  std::vector<Columns> own = {};
  std::vector<std::uint8_t> pixels;  // rows x channels x height x width (card's layout), RGB
};

// What computing it costs (plan/window.hpp). An image counts as one token.
double cost_of(const HostBatch& part);

// Rows [from, from + count) of a batch.
HostBatch slice(const HostBatch& batch, std::uint32_t from, std::uint32_t count);

// The same batch with dummies up to `rows`: rows without tokens, or black images.
HostBatch filled(HostBatch batch, std::uint32_t rows);

// One output's numbers of a part's used rows, float32, row by row: one vector of `dimension` each,
// or, of ArrayKind::kTokens, one for each of the row's residues (of a segment: its own).
struct EmbeddingBlock {
  std::uint32_t rows = 0;
  std::uint32_t dimension = 0;
  std::vector<float> values;
  // Of kTokens: the vector at which each row begins, and the end of the last (rows + 1 numbers).
  std::vector<std::uint64_t> firsts = {};
  // Of a part with segments, where vectors are pooled from residues: what each row that is one adds
  // to the sum over its record's residues, rows x dimension; its values are the mean of its own.
  std::vector<double> sums = {};

  std::span<const float> row(std::uint32_t row) const;
};

// What a part gives: a block for each of the encoder's outputs, in their order.
struct EncodedBatch {
  std::vector<EmbeddingBlock> blocks;
};

}  // namespace longhaul::encode
