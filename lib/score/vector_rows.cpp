#include "score/vector_rows.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace longhaul::score {

VectorRows::VectorRows(const store::OutputReader& output, const OutputSpec& array)
    : output_(output), rows_(output.rows()), reader_(output.array(array)) {
  const auto& outputs = output.layout().outputs;
  array_ = static_cast<std::size_t>(std::ranges::find(outputs, array) - outputs.begin());
  checked_.emplace(output_);
}

bool VectorRows::next(std::uint64_t& row, std::span<const float>& vector) {
  if (checked_) {
    if (next_checked(vector)) {
      row = record_.row;
      return true;
    }
    checked_.reset();
    at_ = 0;
    return false;
  }
  for (; at_ < with_vector_.size(); ++at_) {
    if (with_vector_[at_]) {
      row = at_++;
      vector = reader_.row(row);
      return true;
    }
  }
  at_ = 0;
  return false;
}

bool VectorRows::next_checked(std::span<const float>& vector) {
  while (checked_->next(record_)) {
    ++at_;
    with_vector_.push_back(checked_->has_vector(record_));
    if (!with_vector_.back()) {
      ++(record_.status == Status::kRejected ? without_.rejected : without_.duplicates);
      continue;
    }
    vector = checked_->numbers(array_);
    if (!std::ranges::all_of(vector, [](float x) { return std::isfinite(x); })) {
      throw Error(ExitCode::kBadData,
                  reader_.where(record_.row) + " is not finite, and records.csv says it is " +
                      std::string(to_string(record_.status)),
                  "run longhaul verify on it, and embed again with --overwrite");
    }
    return true;
  }
  return false;
}

}  // namespace longhaul::score
