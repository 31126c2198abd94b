// records.csv and rejects.csv read back, line by line, in bounded memory. One thread. A line that
// does not fit is an Error(kBadData) with file, line and remedy; who wants to go on behind it (to
// name all that is wrong) takes the second form of next().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/csv_reader.hpp"
#include "base/files.hpp"
#include "domain/record_row.hpp"
#include "store/store_layout.hpp"

namespace longhaul::store {

// A table of ours, up to `limit` bytes (all of it without one): each line ends with LF, or it is
// damaged.
CsvReader open_own_table(Files& files, const std::string& path, const std::string& remedy,
                         std::optional<std::uint64_t> limit = std::nullopt);

// One of which nothing is claimed yet, whose file may not even have its header: `header` and no
// row.
CsvReader open_empty_table(std::string header, const std::string& path, const std::string& remedy);

// Which records a directory holds: all of its input, so that row i is record i; or a selection of
// them, in their order, as a retry's directory does.
enum class Rows { kAll, kSelected };

class RecordCursor {
 public:
  RecordCursor(CsvReader table, const StoreLayout& layout, Rows rows, std::string remedy);

  // All of a row but `line` and `defect`, which stand in rejects.csv. False at the end.
  bool next(RecordRow& row);
  // `problem` says what is wrong with the line, or is empty; `row` then holds what could be read.
  bool next(RecordRow& row, std::string& problem);
  bool header_fits() const;

  const std::string& path() const { return table_.name(); }
  std::uint64_t line() const { return table_.line(); }

 private:
  std::string read(RecordRow& row) const;

  CsvReader table_;
  std::vector<std::string> columns_;
  LaterColumns later_;
  Rows rows_;
  std::string remedy_;
  std::uint64_t lines_ = 0;     // given
  std::uint64_t expected_ = 0;  // position, or the least it can be
};

class RejectCursor {
 public:
  RejectCursor(CsvReader table, std::string remedy)
      : table_(std::move(table)), remedy_(std::move(remedy)) {}

  // Position, id, source, line and defect of a rejected record. False at the end.
  bool next(RecordRow& row);
  bool next(RecordRow& row, std::string& problem);

  const std::string& path() const { return table_.name(); }
  std::uint64_t line() const { return table_.line(); }

 private:
  CsvReader table_;
  std::string remedy_;
  std::optional<std::uint64_t> previous_;  // position
};

// What records.csv with these columns was written with, where no journal says it. Its outputs are
// not known from here. Nothing when they are not such columns.
std::optional<StoreLayout> layout_of_columns(const std::vector<std::string>& columns);

}  // namespace longhaul::store
