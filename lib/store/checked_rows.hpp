// A finished output for those who hand its vectors on (export, neighbours): every byte is what the
// run wrote, or it is refused. One thread; memory of a block for each array. Changes nothing and
// takes no lock. Errors: kInterrupted where the run is not finished or its shards are not merged,
// kUnavailable while a run writes, kBadData (damage) names file and row, kMismatch, kIo.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "domain/record_row.hpp"
#include "store/output_reader.hpp"

namespace longhaul::store {

// The tables and run.json are those that the journal vouches for; the rows are not looked at yet.
OutputReader open_finished(Files& files, const std::string& path);

// Throws Error(kInterrupted): the directory holds shards and no output. `otherwise` is what a user
// may do instead of merging them.
[[noreturn]] void refuse_unmerged(const std::string& path, const std::string& otherwise = "");

// Whether these numbers of the first array are a vector: a row without one is NaN, or nothing.
bool holds_vector(std::span<const float> first);

// The rows one after another, each compared with its checksum. `output` is from open_finished() and
// outlives this.
class CheckedRows {
 public:
  explicit CheckedRows(const OutputReader& output);

  // False behind the last row.
  bool next(RecordRow& record);
  // Whether the row that was given has a vector: it is ok, or a duplicate that has its original's.
  bool has_vector(const RecordRow& record);
  // The row's numbers in an output of the layout. Valid until the next call of either.
  std::span<const float> numbers(std::size_t output) { return arrays_[output].row(row_); }

 private:
  std::uint64_t rows_;
  RecordCursor records_;
  std::vector<ArrayReader> arrays_;  // in the layout's order
  ChecksumReader checksums_;
  std::uint64_t given_ = 0;
  std::uint64_t row_ = 0;  // of the arrays
};

}  // namespace longhaul::store
