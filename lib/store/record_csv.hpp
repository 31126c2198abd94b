// The lines of records.csv and rejects.csv, and reading them back.
// Values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::store {

// Names of the columns of records.csv: ours, then the kept ones. A kept name that is taken becomes
// input.NAME.
std::vector<std::string> record_columns(const StoreLayout& layout);

// One line of RFC 4180 with its newline.
std::string csv_line(const std::vector<std::string>& fields);
std::string records_header(const StoreLayout& layout);
std::string rejects_header();
std::string records_line(const StoreLayout& layout, const RecordRow& row);
std::string rejects_line(const RecordRow& row);  // of a rejected one

// Reads a file of CSV records (RFC 4180) one by one, up to `limit` bytes, in bounded memory.
class CsvFile {
 public:
  CsvFile(File& file, std::string name, std::uint64_t limit);
  // Nothing at the end. Throws Error(kBadData) on an open quote or a last line without an end.
  std::optional<std::vector<std::string>> next();
  std::uint64_t line() const { return line_; }  // of the record that next() gave, from 1

 private:
  std::optional<char> take();

  File& file_;
  std::string name_;
  std::uint64_t limit_;
  std::uint64_t offset_ = 0;  // of the end of the buffer
  std::string buffer_;
  std::size_t at_ = 0;
  std::uint64_t line_ = 0;
  std::uint64_t next_line_ = 1;
};

}  // namespace longhaul::store
