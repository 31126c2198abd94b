// A CSV table whose every row counts: a header, then one record after another, as RFC 4180 has
// them. Where the readers of lib/input make a bad line one rejected record, here it is an
// Error(kBadData) that names the line; the record behind it can be read all the same.
// Memory is the longest record. Who has the bytes gives them as lines, and keeps what lines mean:
// which ends they have, how long they may be. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/field_splitter.hpp"

namespace longhaul {

struct CsvLine {
  std::string_view text;        // valid until the next call
  std::string_view terminator;  // its end, when the record goes on behind it
  std::uint64_t number = 0;     // from 1
};

class CsvLines {
 public:
  virtual ~CsvLines() = default;
  virtual bool next(CsvLine& line) = 0;  // false at the end
};

class CsvReader {
 public:
  // Reads the header. `name` is for messages; `remedy` is what can be done about a line that fits
  // nothing, where that is not for the user to correct.
  CsvReader(std::unique_ptr<CsvLines> lines, std::string name, std::string remedy = {});

  const std::string& name() const { return name_; }
  const std::vector<std::string>& columns() const { return columns_; }
  // Error(kUsage) when two columns have the name.
  std::optional<std::size_t> find(std::string_view column) const;

  // The next record, empty lines passed over; false at the end. One with another number of fields
  // than the header is an error here, and none below.
  bool next();
  bool next_of_any_width();
  const std::vector<std::string_view>& fields() const { return splitter_.fields(); }
  std::string_view field(std::size_t column) const { return fields()[column]; }
  std::uint64_t line() const { return line_; }  // where the record begins
  std::string where() const;                    // "predictions.csv, line 12"

 private:
  std::string remedy_or(std::string_view usual) const;

  std::unique_ptr<CsvLines> lines_;
  std::string name_;
  std::string remedy_;
  FieldSplitter splitter_{','};
  std::vector<std::string> columns_;
  std::uint64_t line_ = 0;
};

}  // namespace longhaul
