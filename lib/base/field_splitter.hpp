// The fields of one record of delimited text, as RFC 4180 has them; a record may go over several
// lines. A quote inside an unquoted field is an ordinary character.
// A value with memory of the longest record so far; one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul {

class FieldSplitter {
 public:
  explicit FieldSplitter(char delimiter) : delimiter_(delimiter) {}

  // Splits one line without quotes; the fields are views of it.
  void split(std::string_view line);
  // Splits one line for itself: a quote that does not close in it is a letter like any other. The
  // fields are views of a copy.
  void split_alone(std::string_view line);
  // Records that may go over lines: clear(), then add() each line, and its end when the record goes
  // on, until not inside_quotes(), then finish(). The fields are views of a copy.
  void clear();
  void add(std::string_view text);
  void finish();
  // Drops the text so far, of a record too long to keep, but not whether a quote is open.
  void forget();
  bool inside_quotes() const { return state_ == State::kQuoted; }
  // Text between a closing quote and the next delimiter: the field cannot be told.
  bool text_after_quote() const { return text_after_quote_; }
  // After split_alone(): a quote was taken as a letter.
  bool quote_left_open() const { return quote_left_open_; }
  std::size_t bytes_held() const { return text_.size(); }
  std::uint64_t quotes_opened() const { return quotes_opened_; }

  char delimiter() const { return delimiter_; }
  const std::vector<std::string_view>& fields() const { return fields_; }

 private:
  enum class State { kFieldStart, kPlain, kQuoted, kQuoteSeen };
  void end_field();

  char delimiter_;
  State state_ = State::kFieldStart;
  bool text_after_quote_ = false;
  bool quote_left_open_ = false;
  std::uint64_t quotes_opened_ = 0;
  std::size_t opened_at_ = 0;      // where in the text last added a quote opened
  std::string text_;               // the fields so far, without their quotes
  std::vector<std::size_t> ends_;  // where each ends in text_
  std::vector<std::string_view> fields_;
};

}  // namespace longhaul
