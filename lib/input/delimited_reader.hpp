// CSV and TSV, as RFC 4180 has them: a header, then one record per line; a quoted field may hold
// delimiters, doubled quotes and line breaks. Nothing is trimmed and no type is guessed. A quote
// inside an unquoted field is an ordinary character. Lines of '#' and empty lines before the
// header and empty lines after it are passed over.
// One thread at a time. Bad records are defects; a header that cannot be used and a quote that
// never closes are Errors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "input/columns.hpp"
#include "input/line_scanner.hpp"
#include "input/source_reader.hpp"

namespace longhaul {

// The fields of one record, which may go over several lines.
class FieldSplitter {
 public:
  explicit FieldSplitter(char delimiter) : delimiter_(delimiter) {}

  // Splits one line without quotes; the fields are views of it.
  void split(std::string_view line);
  // Quoted records: clear(), then add() each line, and its end when the record goes on, until
  // not inside_quotes(), then finish(). The fields are views of a copy.
  void clear();
  void add(std::string_view text);
  void finish();
  // Drops the text so far, of a record too long to keep, but not whether a quote is open.
  void forget();
  bool inside_quotes() const { return state_ == State::kQuoted; }
  // Text between a closing quote and the next delimiter: the field cannot be told.
  bool text_after_quote() const { return text_after_quote_; }
  std::size_t bytes_held() const { return text_.size(); }
  std::uint64_t quotes_opened() const { return quotes_opened_; }

  const std::vector<std::string_view>& fields() const { return fields_; }

 private:
  enum class State { kFieldStart, kPlain, kQuoted, kQuoteSeen };
  void end_field();

  char delimiter_;
  State state_ = State::kFieldStart;
  bool text_after_quote_ = false;
  std::uint64_t quotes_opened_ = 0;
  std::string text_;               // the fields so far, without their quotes
  std::vector<std::size_t> ends_;  // where each ends in text_
  std::vector<std::string_view> fields_;
};

class DelimitedReader : public SourceReader {
 public:
  DelimitedReader(std::unique_ptr<ByteSource> bytes, const SourceSettings& settings);

  bool next(Record& record) override;
  SourceCursor cursor() const override { return {lines_.byte(), lines_.line_number()}; }
  bool seek(const SourceCursor& cursor) override;
  std::uint64_t stored_bytes_read() const override { return lines_.stored_bytes_read(); }

  const std::vector<std::string>& header() const { return header_; }

 private:
  enum class Read { kFields, kTooLong, kTextAfterQuote, kEnd };
  Read read_fields(Line& first);
  Read read_quoted(Line& first);
  void read_header();
  void fill(Record& record) const;

  SourceSettings settings_;
  LineScanner lines_;
  FieldSplitter splitter_;
  std::vector<std::string> header_;
  Columns columns_;
};

}  // namespace longhaul
