// Of DelimitedReader: quotes that do not close in their line.

#include "base/error.hpp"
#include "base/text.hpp"
#include "input/delimited_reader.hpp"

namespace longhaul::input {

// Nothing where the line is to be the header and does not read like one.
std::optional<std::size_t> DelimitedReader::fields_of_record(const Line& line) {
  if (!header_.empty()) {
    return header_.size();
  }
  if (line.too_long) {
    return std::nullopt;
  }
  splitter_.split_alone(line.text);
  const auto& fields = splitter_.fields();
  if (fields.size() == 1 || !has_sequence_column({fields.begin(), fields.end()}, settings_)) {
    return std::nullopt;
  }
  return fields.size();
}

DelimitedReader::Read DelimitedReader::read_over_lines(const Line& first) {
  quote_.meet(first, lines_, fields_of_record(first));
  const OpenQuote::Judgement& judged = quote_.judged();
  if (judged.cut_off && !judged.stray && !header_.empty()) {
    return read_cut_off(first);
  }
  if (!judged.stray) {
    return read_cell_over_lines(first);
  }
  if (judged.closes) {
    region_ = Region{{first.byte, first.number, 0}, judged.last_line};
    quote_.start();
  }
  splitter_.split_alone(quote_.line());
  return first.too_long ? Read::kTooLong : Read::kStrayQuote;
}

// A few lines at the end of the input that are no records by themselves: one record, cut off.
DelimitedReader::Read DelimitedReader::read_cut_off(const Line& first) {
  Line line;
  while (last_line_ < quote_.judged().last_line && lines_.next(line)) {
    last_line_ = line.number;
  }
  splitter_.split_alone(quote_.line());
  return first.too_long ? Read::kTooLong : Read::kCutOff;
}

DelimitedReader::Read DelimitedReader::read_in_region(Line& line) {
  const bool opens = quote_.opens_in(line.text);
  last_line_ = line.number;
  const bool closes = line.number == region_->last_line;
  splitter_.split_alone(line.text);
  if (closes || opens) {
    return Read::kStrayQuote;
  }
  return splitter_.text_after_quote() ? Read::kTextAfterQuote : Read::kFields;
}

DelimitedReader::Read DelimitedReader::read_cell_over_lines(const Line& first) {
  splitter_.clear();
  splitter_.add(quote_.line());
  bool too_long = first.too_long;
  std::uint64_t quotes = splitter_.quotes_opened();
  std::uint64_t opened_line = first.number;  // where the quote that is open was opened
  std::uint64_t opened_byte = first.byte;
  std::string_view terminator = quote_.line_end();
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
  if (quote_.judged().whole > 1 && settings_.notes != nullptr) {
    settings_.notes->warning("cell over lines",
                             place(first.number) + ": a quoted cell goes on to line " +
                                 std::to_string(last_line_) + ", and " +
                                 std::to_string(quote_.judged().whole) +
                                 " of these lines read like records: check its quotes (said once)");
  }
  if (too_long) {
    return Read::kTooLong;
  }
  splitter_.finish();
  return splitter_.text_after_quote() ? Read::kTextAfterQuote : Read::kFields;
}

}  // namespace longhaul::input
