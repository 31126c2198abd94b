// The vectors of one array of a finished output, pass after pass: those rows that have one, in
// order. The first pass compares every row with its checksum and learns which those are, a bit a
// row; later ones read the array alone. One thread at a time; memory of a block, and these bits.
// Errors: those of store/checked_rows.hpp, and kBadData for a vector that is not finite.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "store/checked_rows.hpp"

namespace longhaul::score {

// Rows without a vector.
struct RowsWithout {
  std::uint64_t rejected = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t no_direction = 0;  // of zeros, or all of which is the mean
};

class VectorRows {
 public:
  // `output` is from store::open_finished() and outlives this.
  VectorRows(const store::OutputReader& output, const OutputSpec& array);

  // The next row that has a vector; false behind the last, and the next call begins a new pass.
  bool next(std::uint64_t& row, std::span<const float>& vector);
  const store::OutputReader& output() const { return output_; }
  // Rows passed over and given in this pass.
  std::uint64_t at() const { return at_; }
  std::uint64_t rows() const { return rows_; }
  // Complete after the first pass.
  const RowsWithout& without() const { return without_; }
  // Of the row that the first pass gave last.
  const RecordRow& record() const { return record_; }

 private:
  bool next_checked(std::span<const float>& vector);

  const store::OutputReader& output_;
  std::size_t array_ = 0;  // in the layout
  std::uint64_t rows_;
  std::uint64_t at_ = 0;
  std::optional<store::CheckedRows> checked_;  // in the first pass
  RecordRow record_;
  RowsWithout without_;
  std::vector<bool> with_vector_;
  store::ArrayReader reader_;
};

}  // namespace longhaul::score
