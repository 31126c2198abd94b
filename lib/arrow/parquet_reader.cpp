#include "arrow/parquet_reader.hpp"

#include <arrow/result.h>
#include <arrow/type.h>
#include <arrow/util/io_util.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>
#include <parquet/schema.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "arrow/row_group.hpp"
#include "arrow/text_column.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "input/columns.hpp"

namespace longhaul::arrow_room {
namespace {

constexpr std::int64_t kBatchRows = 1024;
constexpr std::int64_t kStreamBufferBytes = 256 * 1024;

class ParquetReader : public input::SourceReader {
 public:
  explicit ParquetReader(const input::SourceSettings& settings)
      : settings_(settings), identity_(input::identify_source(settings.path)) {
    try {
      open_file();
      choose();
      find_groups();
    } catch (const parquet::ParquetException& error) {
      fail(arrow::Status::Invalid(error.what()));
    }
  }

  bool next(Record& record) override {
    if (row_ == rows_) {
      check_unchanged();
      return false;
    }
    if (group_.rows_at_hand() == 0) {
      read_batch();
    }
    fill(record);
    group_.pass_over(1);
    ++row_;
    return true;
  }

  input::SourceCursor cursor() const override { return {row_, 1}; }

  bool seek(const input::SourceCursor& cursor) override {
    if (cursor.offset > rows_) {
      return false;
    }
    row_ = cursor.offset;
    if (row_ == rows_) {
      group_ = RowGroup(group_starts_.size());
      return true;
    }
    group_ = RowGroup(group_of(row_));
    row_ = group_starts_[group_.number()];
    pass_over(cursor.offset - row_);
    return true;
  }

  // Its footer need not be read again, nor what was read of the row group in hand.
  bool go_on(const input::SourceCursor& cursor) override {
    if (cursor.offset < row_ || cursor.offset > rows_) {
      return false;
    }
    if (!group_.is_open() || cursor.offset == rows_ || group_of(cursor.offset) != group_.number()) {
      return seek(cursor);
    }
    pass_over(cursor.offset - row_);
    return true;
  }

  // Pages are read in no order that bytes would show, so this goes by rows.
  std::uint64_t stored_bytes_read() const override {
    const double part = rows_ == 0 ? 1.0 : static_cast<double>(row_) / static_cast<double>(rows_);
    return static_cast<std::uint64_t>(part * static_cast<double>(identity_.size));
  }

  std::optional<std::uint64_t> records_total() const override { return rows_; }

 private:
  std::size_t group_of(std::uint64_t row) const {
    return static_cast<std::size_t>(
        std::upper_bound(group_starts_.begin(), group_starts_.end(), row) - group_starts_.begin() -
        1);
  }

  // Of the row group in hand.
  void pass_over(std::uint64_t to_skip) {
    while (to_skip > 0) {
      if (group_.rows_at_hand() == 0) {
        read_batch();
      }
      const std::uint64_t skipped = std::min(to_skip, group_.rows_at_hand());
      group_.pass_over(skipped);
      row_ += skipped;
      to_skip -= skipped;
    }
  }

  [[noreturn]] void fail(const arrow::Status& status) const {
    const bool disk = arrow::internal::ErrnoFromStatus(status) != 0;
    throw Error(disk ? ExitCode::kIo : ExitCode::kBadData,
                printable(settings_.name, 400) + ", row " + std::to_string(row_) +
                    (disk ? ": cannot be read: " : ": cannot be read as Parquet: ") +
                    printable(status.message(), 400),
                disk ? "check the disk; the same command continues"
                     : "check that it was written completely");
  }

  template <typename T>
  T take(arrow::Result<T> result) const {
    if (!result.ok()) {
      fail(result.status());
    }
    return std::move(result).ValueUnsafe();
  }

  void open_file() {
    parquet::ReaderProperties properties;
    properties.enable_buffered_stream();
    properties.set_buffer_size(kStreamBufferBytes);
    parquet::ArrowReaderProperties arrow_properties(/*use_threads=*/false);
    arrow_properties.set_batch_size(kBatchRows);
    arrow_properties.set_pre_buffer(false);
    parquet::arrow::FileReaderBuilder builder;
    const auto status = builder.OpenFile(settings_.path, /*memory_map=*/false, properties);
    if (!status.ok()) {
      fail(status);
    }
    reader_ = take(builder.properties(arrow_properties)->Build());
  }

  void choose() {
    std::shared_ptr<arrow::Schema> schema;
    if (const auto status = reader_->GetSchema(&schema); !status.ok()) {
      fail(status);
    }
    names_ = schema->field_names();
    columns_ = choose_columns(names_, settings_);
    const auto& type = *schema->field(static_cast<int>(columns_.sequence))->type();
    if (!is_text_type(type)) {
      throw Error(ExitCode::kBadData,
                  printable(settings_.name, 400) + ": the column '" +
                      printable(names_[columns_.sequence]) + "' is " + type.ToString() +
                      ", not text",
                  "name another with --sequence-column");
    }
    std::vector<std::size_t> used{columns_.sequence};
    if (columns_.id) {
      used.push_back(*columns_.id);
    }
    for (const auto& kept : columns_.kept) {
      if (kept) {
        used.push_back(*kept);
      }
    }
    const auto& leaves = *reader_->parquet_reader()->metadata()->schema();
    for (int leaf = 0; leaf < leaves.num_columns(); ++leaf) {
      const auto field = leaves.group_node()->FieldIndex(*leaves.GetColumnRoot(leaf));
      if (std::find(used.begin(), used.end(), static_cast<std::size_t>(field)) != used.end()) {
        leaves_.push_back(leaf);
      }
    }
  }

  void find_groups() {
    const auto& metadata = *reader_->parquet_reader()->metadata();
    for (int group = 0; group < metadata.num_row_groups(); ++group) {
      group_starts_.push_back(rows_);
      rows_ += static_cast<std::uint64_t>(
          std::max<std::int64_t>(metadata.RowGroup(group)->num_rows(), 0));
    }
  }

  // One row group at a time, so that a place inside can be entered without those before it.
  void read_batch() {
    if (!group_.is_open()) {
      open_group();
    }
    while (!take(group_.read_batch(names_, columns_))) {
      group_ = RowGroup(group_.number() + 1);
      open_group();
    }
  }

  void open_group() {
    if (group_.number() >= group_starts_.size()) {
      fail(arrow::Status::Invalid("it holds fewer rows than its footer says"));
    }
    group_.open(take(reader_->GetRecordBatchReader({static_cast<int>(group_.number())}, leaves_)));
  }

  void fill(Record& record) {
    const auto sequence = group_.sequence();
    record.kept.resize(columns_.kept.size());
    for (std::size_t i = 0; i < columns_.kept.size(); ++i) {
      if (columns_.kept[i]) {
        record.kept[i].assign(group_.kept(i).value_or(std::string_view()));
      } else {
        record.kept[i] = *settings_.listed[i];
      }
    }
    if (columns_.id) {
      record.id.assign(group_.id().value_or(std::string_view()));
    }
    if (!sequence) {
      record.defect =
          Defect{Reason::kMissingValue, "'" + printable(names_[columns_.sequence]) + "' is null"};
    } else if (sequence->empty()) {
      record.defect = Defect{Reason::kEmpty, "the sequence is empty"};
    } else if (sequence->size() > settings_.max_line_bytes) {
      record.defect = Defect{Reason::kLineTooLong, "the sequence is longer than " +
                                                       format_bytes(settings_.max_line_bytes)};
    } else {
      record.payload.assign(*sequence);
      if (input::is_odd_word(record.payload)) {
        note_odd_word(settings_.notes, record.payload,
                      printable(settings_.name, 400) + ", row " + std::to_string(row_),
                      "write a null");
      }
    }
    if (!record.defect) {
      input::check_utf8(record);
    }
  }

  void check_unchanged() const {
    const input::SourceIdentity now = input::identify_source(settings_.path);
    if (now.size != identity_.size || now.modified_ns != identity_.modified_ns) {
      throw Error(ExitCode::kIo, printable(settings_.name, 400) + " changed while it was read",
                  "do not write to an input while it is read; the same command checks what it has");
    }
  }

  input::SourceSettings settings_;
  input::SourceIdentity identity_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::vector<std::string> names_;
  input::Columns columns_;
  std::vector<int> leaves_;                  // of the columns in use
  std::vector<std::uint64_t> group_starts_;  // first row of each row group
  std::uint64_t rows_ = 0;
  std::uint64_t row_ = 0;  // that comes next
  RowGroup group_{0};      // in hand
};

}  // namespace

std::unique_ptr<input::SourceReader> open_parquet(const input::SourceSettings& settings) {
  return std::make_unique<ParquetReader>(settings);
}

}  // namespace longhaul::arrow_room
