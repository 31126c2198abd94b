// A column of a batch, read as text row by row. Holds on to the batch's memory.
// One thread at a time. Error(kBadData) for a column that has no text form.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace longhaul::arrow_room {

// Whether values of this type are text as they stand.
bool is_text_type(const arrow::DataType& type);

class TextColumn {
 public:
  explicit TextColumn(const std::shared_ptr<arrow::Array>& array);
  // Nothing for null. Valid until the next call.
  std::optional<std::string_view> at(std::int64_t row);

 private:
  enum class Layout { kText, kLargeText, kTextView, kOther };

  std::shared_ptr<arrow::Array> array_;  // shared with the batch it came from
  Layout layout_;
  std::string made_;  // the text of a value of another type
};

}  // namespace longhaul::arrow_room
