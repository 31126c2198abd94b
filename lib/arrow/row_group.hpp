// A row group of a Parquet file, batch after batch: the one in hand as text of the columns in use,
// and which of its rows comes next.
// One thread at a time. Failures are Arrow's; columns that have no text form Error(kBadData).
#pragma once

#include <arrow/record_batch.h>
#include <arrow/result.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arrow/text_column.hpp"
#include "input/columns.hpp"

namespace longhaul::arrow_room {

class RowGroup {
 public:
  // `number`: in the file. Nothing of it is read before open().
  explicit RowGroup(std::size_t number) : number_(number) {}

  std::size_t number() const { return number_; }
  bool is_open() const { return batches_ != nullptr; }
  void open(std::unique_ptr<arrow::RecordBatchReader> batches) { batches_ = std::move(batches); }

  // The next batch that has rows, whose columns are found by name; false at the end of the group.
  arrow::Result<bool> read_batch(const std::vector<std::string>& names,
                                 const input::Columns& columns);
  // Of the batch in hand, the rows that come.
  std::uint64_t rows_at_hand() const { return static_cast<std::uint64_t>(rows_ - row_); }
  // As many of these.
  void pass_over(std::uint64_t rows) { row_ += static_cast<std::int64_t>(rows); }

  // Of the row that comes next, where one is at hand; of columns that are in use. Nothing for null.
  // Valid until the next call of the same.
  std::optional<std::string_view> sequence() { return sequences_->at(row_); }
  std::optional<std::string_view> id() { return ids_->at(row_); }
  std::optional<std::string_view> kept(std::size_t column) { return kept_[column]->at(row_); }

 private:
  void use(const arrow::RecordBatch& batch, const std::vector<std::string>& names,
           const input::Columns& columns);

  std::size_t number_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
  std::int64_t rows_ = 0;  // of the batch in hand
  std::int64_t row_ = 0;   // that comes next
  std::optional<TextColumn> sequences_;
  std::optional<TextColumn> ids_;
  std::vector<std::optional<TextColumn>> kept_;
};

}  // namespace longhaul::arrow_room
