#include "store/row_check.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "store/row_hash.hpp"

namespace longhaul::store {

RowCheck::RowCheck(const OutputReader& output, bool empty_duplicates, Verification& result)
    : empty_duplicates_(empty_duplicates), checksums_(output.checksums()), result_(result) {
  for (const OutputSpec& spec : output.layout().outputs) {
    arrays_.push_back(output.array(spec));
    originals_.push_back(output.array(spec));
  }
}

void RowCheck::check(const RecordRow& record) {
  RowHash hash;
  for (ArrayReader& array : arrays_) {
    const auto bytes = array.bytes(record.row);
    if (!bytes) {
      result_.add(array.where(record.row), "is missing: the file ends before it");
      return;
    }
    hash.add(*bytes);
  }
  const std::string where = arrays_.front().where(record.row);
  const std::optional<std::uint64_t> expected = checksums_.of(record.row);
  if (!expected) {
    result_.add(where, "is missing: the file of checksums ends before it");
    return;
  }
  if (hash.value() != *expected) {
    result_.add(where, "does not match its checksum");
    return;
  }
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    if (record.duplicate_of && !empty_duplicates_) {
      check_duplicate(i, record);
    } else {
      check_values(arrays_[i], record);
    }
  }
}

void RowCheck::check_values(ArrayReader& array, const RecordRow& record) {
  const std::span<const float> values = array.row(record.row);
  if (record.status != Status::kOk) {
    if (!std::all_of(values.begin(), values.end(), [](float x) { return std::isnan(x); })) {
      result_.add(array.where(record.row), "holds a vector, and records.csv says it is " +
                                               std::string(to_string(record.status)));
    }
  } else if (!std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); })) {
    result_.add(array.where(record.row), "is not finite, and records.csv says it is " +
                                             std::string(to_string(record.status)));
  }
}

void RowCheck::check_duplicate(std::size_t array, const RecordRow& record) {
  const auto bytes = arrays_[array].bytes(record.row);
  const auto original = originals_[array].bytes(*record.duplicate_of);
  if (!original || !std::equal(bytes->begin(), bytes->end(), original->begin(), original->end())) {
    result_.add(arrays_[array].where(record.row), "differs from row " +
                                                      std::to_string(*record.duplicate_of) +
                                                      ", of which it is a duplicate");
  }
}

}  // namespace longhaul::store
