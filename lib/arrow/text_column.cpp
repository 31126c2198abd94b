#include "arrow/text_column.hpp"

#include <arrow/array.h>
#include <arrow/compute/cast.h>
#include <arrow/scalar.h>
#include <arrow/type.h>

#include "base/error.hpp"

namespace longhaul::arrow_room {
namespace {

bool is_plain_text(arrow::Type::type id) {
  return arrow::is_base_binary_like(id) || id == arrow::Type::STRING_VIEW ||
         id == arrow::Type::BINARY_VIEW;
}

// Text, or what can be read value by value.
std::shared_ptr<arrow::Array> as_text(const std::shared_ptr<arrow::Array>& array) {
  if (is_plain_text(array->type_id())) {
    return array;
  }
  std::shared_ptr<arrow::DataType> wanted = arrow::utf8();
  if (array->type_id() == arrow::Type::DICTIONARY) {
    wanted = static_cast<const arrow::DictionaryType&>(*array->type()).value_type();
  }
  if (arrow::compute::CanCast(*array->type(), *wanted)) {
    auto made = arrow::compute::Cast(*array, wanted);
    if (made.ok() && is_plain_text((*made)->type_id())) {
      return *made;
    }
    if (made.ok() && array->type_id() == arrow::Type::DICTIONARY) {
      return as_text(*made);
    }
  }
  return array;
}

}  // namespace

bool is_text_type(const arrow::DataType& type) {
  if (type.id() == arrow::Type::DICTIONARY) {
    return is_plain_text(static_cast<const arrow::DictionaryType&>(type).value_type()->id());
  }
  return is_plain_text(type.id());
}

TextColumn::TextColumn(const std::shared_ptr<arrow::Array>& array) : array_(as_text(array)) {
  const auto id = array_->type_id();
  if (id == arrow::Type::STRING_VIEW || id == arrow::Type::BINARY_VIEW) {
    layout_ = Layout::kTextView;
  } else if (arrow::is_large_binary_like(id)) {
    layout_ = Layout::kLargeText;
  } else {
    layout_ = arrow::is_base_binary_like(id) ? Layout::kText : Layout::kOther;
  }
}

std::optional<std::string_view> TextColumn::at(std::int64_t row) {
  if (array_->IsNull(row)) {
    return std::nullopt;
  }
  switch (layout_) {
    case Layout::kText:
      return static_cast<const arrow::BinaryArray&>(*array_).GetView(row);
    case Layout::kLargeText:
      return static_cast<const arrow::LargeBinaryArray&>(*array_).GetView(row);
    case Layout::kTextView:
      return static_cast<const arrow::BinaryViewArray&>(*array_).GetView(row);
    case Layout::kOther:
      break;
  }
  auto value = array_->GetScalar(row);
  if (!value.ok()) {
    throw Error(ExitCode::kBadData, "a column of type " + array_->type()->ToString() +
                                        " cannot be read as text: " + value.status().message());
  }
  made_ = (*value)->ToString();
  const std::string type = array_->type()->ToString();
  if (made_.starts_with(type)) {
    made_.erase(0, type.size());  // lists name their type first
  }
  return made_;
}

}  // namespace longhaul::arrow_room
