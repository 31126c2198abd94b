// CSV and TSV, as RFC 4180 has them: a header, then one record per line; a quoted field may hold
// delimiters, doubled quotes and, where the delimiter is no tab, line breaks. Nothing is trimmed
// and no type is guessed. Lines of '#' and empty lines before the header and empty lines after it
// are passed over; so are rows whose cells are all blank, and these are counted. A row that is the
// header line again is a defect.
//
// A quote that was never meant as one must not swallow rows. In TSV a quote that does not close in
// its line is a letter. In CSV it is judged by the lines it goes over: where three in four of them
// are whole records by themselves, each is read for itself, and those where a quote opens or closes
// are rejected. That takes looking ahead, but never further than the cap of a line.
// One thread at a time. Bad records are defects; a header that cannot be used, and a quote around
// other lines that never closes, are Errors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/field_splitter.hpp"
#include "input/columns.hpp"
#include "input/header_line.hpp"
#include "input/line_scanner.hpp"
#include "input/open_quote.hpp"
#include "input/source_reader.hpp"

namespace longhaul::input {

class DelimitedReader : public SourceReader {
 public:
  DelimitedReader(std::unique_ptr<ByteSource> bytes, const SourceSettings& settings);

  bool next(Record& record) override;
  SourceCursor cursor() const override;
  bool seek(const SourceCursor& cursor) override;
  std::uint64_t stored_bytes_read() const override { return lines_.stored_bytes_read(); }
  LeftOut left_out() const override;

  const std::vector<std::string>& header() const { return header_; }

 private:
  enum class Read { kFields, kTooLong, kTextAfterQuote, kStrayQuote, kCutOff, kEnd };
  // Lines that a stray quote would have swallowed, while they are read one by one.
  struct Region {
    SourceCursor begin;  // skip: how many of its records were given
    std::uint64_t last_line = 0;
  };

  void read_header();
  char find_delimiter(std::string_view line);
  Read read_fields(Line& first);
  std::optional<std::size_t> fields_of_record(const Line& line);
  Read read_over_lines(const Line& first);
  Read read_cut_off(const Line& first);
  Read read_cell_over_lines(const Line& first);
  Read read_in_region(Line& line);
  void check_header(const Line& line, Read read);
  void reject(Record& record, Read read) const;
  void fill(Record& record) const;
  bool is_blank_row() const;
  std::string place(std::uint64_t line) const;

  SourceSettings settings_;
  LineScanner lines_;
  FieldSplitter splitter_;
  OpenQuote quote_;  // met last
  std::optional<Region> region_;
  std::uint64_t last_line_ = 0;  // of the record read last
  std::uint64_t blank_rows_ = 0;
  std::vector<std::string> header_;
  Columns columns_;
  RepeatedHeader again_;
};

}  // namespace longhaul::input
