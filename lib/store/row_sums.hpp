// A row's bytes in all arrays against its checksum, as they were summed: together, in the layout's
// order. One thread. Throws Error(kIo).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/array_reader.hpp"
#include "store/output_reader.hpp"

namespace longhaul::store {

struct RowFault {
  std::string where;  // "OUT/embeddings.npy row 7"
  std::string what;   // "does not match its checksum"
};

// Nothing where the row is what was written. `arrays` are all of the output (OutputReader::arrays).
std::optional<RowFault> fault_of_row(std::span<ArrayReader> arrays, ChecksumReader& checksums,
                                     std::uint64_t row);

// The rows of an output against its checksums. Of files that were copied without their journal or
// checksums nobody knows which arrays were summed: nothing is found there.
class RowSums {
 public:
  explicit RowSums(const OutputReader& output);
  std::optional<RowFault> fault(std::uint64_t row);

 private:
  std::vector<ArrayReader> arrays_;
  std::optional<ChecksumReader> sums_;
};

}  // namespace longhaul::store
