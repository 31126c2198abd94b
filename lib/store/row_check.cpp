#include "store/row_check.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "store/row_sums.hpp"

namespace longhaul::store {

RowCheck::RowCheck(const OutputReader& output, bool empty_duplicates, Verification& result)
    : empty_duplicates_(empty_duplicates),
      arrays_(output.arrays()),
      originals_(output.arrays()),
      checksums_(output.checksums()),
      result_(result) {}

void RowCheck::check(const RecordRow& record) {
  if (auto fault = fault_of_row(arrays_, checksums_, record.row)) {
    result_.add(std::move(fault->where), std::move(fault->what));
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
