// Of DelimitedReader: quotes that do not close in their line.

#include "base/error.hpp"
#include "base/text.hpp"
#include "input/delimited_reader.hpp"

namespace longhaul::input {
namespace {

// Lines that do not read like records, after which a quote is not looked through to its end.
constexpr std::uint64_t kUnlikeRecords = 16;

}  // namespace

DelimitedReader::Read DelimitedReader::read_over_lines(Line& first) {
  // Of a line too long nothing is kept but that a quote is open.
  opening_ = first.too_long ? std::string_view("\"") : first.text;
  opening_end_ = first.terminator;
  judged_ = judge(first);
  if (judged_.cut_off && !judged_.stray) {
    return read_cut_off(first);
  }
  if (!judged_.stray) {
    return read_cell_over_lines(first);
  }
  if (judged_.closes) {
    region_ = Region{{first.byte, first.number, 0}, judged_.last_line};
    quotes_.clear();
    quotes_.add(opening_);
    quotes_.forget();
  }
  splitter_.split_alone(opening_);
  return first.too_long ? Read::kTooLong : Read::kStrayQuote;
}

// A few lines at the end of the input that are no records by themselves: one record, cut off.
DelimitedReader::Read DelimitedReader::read_cut_off(const Line& first) {
  Line line;
  while (last_line_ < judged_.last_line && lines_.next(line)) {
    last_line_ = line.number;
  }
  splitter_.split_alone(opening_);
  return first.too_long ? Read::kTooLong : Read::kCutOff;
}

DelimitedReader::Judgement DelimitedReader::judge(const Line& first) {
  Judgement judgement;
  judgement.first_line = judgement.last_line = first.number;
  splitter_.split_alone(opening_);
  const bool header = header_.empty();
  const std::size_t fields = header ? splitter_.fields().size() : header_.size();
  if (header &&
      (fields == 1 ||
       !has_sequence_column({splitter_.fields().begin(), splitter_.fields().end()}, settings_))) {
    return judgement;
  }
  std::uint64_t others = 0;
  const auto count = [&](std::string_view line) {
    splitter_.split_alone(line);
    ++(splitter_.fields().size() == fields ? judgement.whole : others);
  };
  if (!first.too_long) {
    count(opening_);
  }
  quotes_.clear();
  quotes_.add(opening_);
  lines_.look_from_here();
  Line line;
  Look looked = lines_.look(line);
  for (; looked == Look::kLine; looked = lines_.look(line)) {
    judgement.last_line = line.number;
    if (line.size > 0) {
      count(line.text);
    }
    quotes_.add(line.text);
    quotes_.forget();
    if (!quotes_.inside_quotes()) {
      judgement.closes = true;
      break;
    }
    if (others >= kUnlikeRecords && others > judgement.whole) {
      break;
    }
  }
  judgement.cut_off = looked == Look::kEnd && !header;
  judgement.stray = judgement.whole > 0 && judgement.whole >= 3 * others;
  return judgement;
}

DelimitedReader::Read DelimitedReader::read_in_region(Line& line) {
  const std::uint64_t opened = quotes_.quotes_opened();
  quotes_.add(line.text);
  quotes_.forget();
  last_line_ = line.number;
  const bool closes = line.number == region_->last_line;
  splitter_.split_alone(line.text);
  if (closes || quotes_.quotes_opened() != opened) {
    return Read::kStrayQuote;
  }
  return splitter_.text_after_quote() ? Read::kTextAfterQuote : Read::kFields;
}

DelimitedReader::Read DelimitedReader::read_cell_over_lines(const Line& first) {
  splitter_.clear();
  splitter_.add(opening_);
  bool too_long = first.too_long;
  std::uint64_t quotes = splitter_.quotes_opened();
  std::uint64_t opened_line = first.number;  // where the quote that is open was opened
  std::uint64_t opened_byte = first.byte;
  std::string_view terminator = opening_end_;
  Line line;
  while (splitter_.inside_quotes()) {
    splitter_.add(terminator);
    if (!lines_.next(line, true)) {
      throw Error(ExitCode::kBadData,
                  place(opened_line) + " (byte " + std::to_string(opened_byte) +
                      "): a quote opened in this line never closes",
                  "close or double that quote");
    }
    last_line_ = line.number;
    if (line.too_long) {
      too_long = true;
      if (line.odd_quotes) {
        splitter_.add("\"");
      }
    } else {
      splitter_.add(line.text);
    }
    terminator = line.terminator;
    if (splitter_.quotes_opened() != quotes) {
      quotes = splitter_.quotes_opened();
      opened_line = line.number;
      opened_byte = line.byte;
    }
    if (too_long || splitter_.bytes_held() > settings_.max_line_bytes) {
      too_long = true;
      splitter_.forget();
    }
  }
  if (judged_.whole > 1 && settings_.notes != nullptr) {
    settings_.notes->warning("cell over lines",
                             place(first.number) + ": a quoted cell goes on to line " +
                                 std::to_string(last_line_) + ", and " +
                                 std::to_string(judged_.whole) +
                                 " of these lines read like records: check its quotes (said once)");
  }
  if (too_long) {
    return Read::kTooLong;
  }
  splitter_.finish();
  return splitter_.text_after_quote() ? Read::kTextAfterQuote : Read::kFields;
}

}  // namespace longhaul::input
