#include "store/row_sums.hpp"

#include "store/row_hash.hpp"

namespace longhaul::store {

std::optional<RowFault> fault_of_row(std::span<ArrayReader> arrays, ChecksumReader& checksums,
                                     std::uint64_t row) {
  RowHash hash;
  for (ArrayReader& array : arrays) {
    const auto bytes = array.bytes(row);
    if (!bytes) {
      return RowFault{array.where(row), "is missing: the file ends before it"};
    }
    hash.add(*bytes);
  }
  const std::optional<std::uint64_t> expected = checksums.of(row);
  if (!expected) {
    return RowFault{arrays.front().where(row), "is missing: the file of checksums ends before it"};
  }
  if (hash.value() != *expected) {
    return RowFault{arrays.front().where(row), "does not match its checksum"};
  }
  return std::nullopt;
}

RowSums::RowSums(const OutputReader& output) {
  if (output.claims() && output.has(store_files::kChecksums)) {
    sums_.emplace(output.checksums());
    arrays_ = output.arrays();
  }
}

std::optional<RowFault> RowSums::fault(std::uint64_t row) {
  return sums_ ? fault_of_row(arrays_, *sums_, row) : std::nullopt;
}

}  // namespace longhaul::store
