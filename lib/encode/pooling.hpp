// From an encoder's hidden states to one vector per record, in plain C++.
// Pure functions; any thread. Every row is summed in its own fixed order, in double: its bits
// depend on nothing but its own numbers, whatever batch it came in.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "encode/batch.hpp"
#include "encode/card.hpp"

namespace longhaul::encode {

// The columns of a row that a pooling averages (or takes the greatest of).
// `length` is the row's tokens, special ones included; `width` the padded width of its batch.
// mean, max: the residues, so that prepended and appended tokens never enter. mean-compat: column 0
// and the last column of the batch are left out and the rest of the mask stays, so the appended
// token enters in rows shorter than their batch. cls: the first column.
Columns pooled_columns(Pooling pooling, const Alphabet& alphabet, std::uint32_t length,
                       std::uint32_t width);
// The same of a row of a batch; of a segment its own.
Columns pooled_columns(Pooling pooling, const Alphabet& alphabet, const HostBatch& batch,
                       std::uint32_t row);

// The columns of a row's residues: prepended and appended tokens are none.
Columns residue_columns(const Alphabet& alphabet, std::uint32_t length);
// The same of a row of a batch; of a segment those that are taken from it.
Columns residue_columns(const Alphabet& alphabet, const HostBatch& batch, std::uint32_t row);

// `hidden` is rows x width x dimension. Pools the batch's used rows; a row with no columns to pool
// is NaN, never zero.
std::vector<float> pool_tokens(std::span<const float> hidden, const HostBatch& batch,
                               std::uint32_t dimension, Pooling pooling, const Alphabet& alphabet);

// EmbeddingBlock::sums: residue by residue, in double; none where no row is a segment.
std::vector<double> sum_segments(std::span<const float> hidden, const HostBatch& batch,
                                 std::uint32_t dimension);

// Scales each row to length 1; a row of zeros becomes NaN, never a zero vector.
void normalize_rows(std::span<float> values, std::uint32_t dimension);

}  // namespace longhaul::encode
