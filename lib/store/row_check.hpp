// The rows of all arrays, for verify: as their checksums say, finite where the record is ok and NaN
// where it has no vector, a duplicate as its original. One thread, memory of a block for each
// array; findings go to the Verification it was given.
#pragma once

#include <cstdint>
#include <vector>

#include "store/output_reader.hpp"
#include "store/verify.hpp"

namespace longhaul::store {

class RowCheck {
 public:
  // `empty_duplicates`: duplicates have no vector, rather than their original's.
  RowCheck(const OutputReader& output, bool empty_duplicates, Verification& result);

  void check(const RecordRow& record);

 private:
  void check_values(ArrayReader& array, const RecordRow& record);
  void check_duplicate(std::size_t array, const RecordRow& record);

  bool empty_duplicates_;
  std::vector<ArrayReader> arrays_;
  std::vector<ArrayReader> originals_;  // the same, read at other places
  ChecksumReader checksums_;
  Verification& result_;
};

}  // namespace longhaul::store
