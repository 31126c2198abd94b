#include "input/delimited_reader.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "input/delimiter.hpp"

namespace longhaul::input {
namespace {

bool is_blank(std::string_view cell) {
  return cell.find_first_not_of(" \t") == std::string_view::npos;
}

}  // namespace

DelimitedReader::DelimitedReader(std::unique_ptr<ByteSource> bytes, const SourceSettings& settings)
    : settings_(settings),
      lines_(std::move(bytes), settings.name, settings.max_line_bytes, settings.block_bytes,
             settings.list_of_paths),
      splitter_(','),
      quote_(',') {
  read_header();
  columns_ = choose_columns(header_, settings_);
  again_ = RepeatedHeader(header_, columns_.sequence, settings_.list_of_paths);
}

std::string DelimitedReader::place(std::uint64_t line) const {
  return printable(settings_.name, 400) + ", line " + std::to_string(line);
}

void DelimitedReader::read_header() {
  Line line;
  CommentLine comment;
  lines_.skip(settings_.skip_lines);
  for (;;) {
    // What is passed over may hold anything, a lone quote too, so it is looked at before it is
    // read as a record.
    const std::string_view ahead = lines_.peek(1);
    const std::string_view first = ahead.substr(0, ahead.find_first_of("\r\n"));
    if (const auto named = delimiter_of_sep_line(first)) {
      settings_.delimiter = settings_.delimiter ? settings_.delimiter : named;
    } else if (!first.empty() && first.front() != '#') {
      const char delimiter = find_delimiter(first);
      splitter_ = FieldSplitter(delimiter);
      quote_ = OpenQuote(delimiter);
      break;
    }
    if (ahead.empty()) {
      break;
    }
    lines_.next(line);
    comment = {std::string(line.text), line.number};
  }
  const Read read = read_fields(line);
  check_header(line, read);
  for (const std::string_view name : splitter_.fields()) {
    header_.emplace_back(name);
  }
  refuse_missing_header(header_, line.number, splitter_.delimiter(), comment, settings_);
}

char DelimitedReader::find_delimiter(std::string_view line) {
  const char usual = settings_.format == InputFormat::kTsv ? '\t' : ',';
  const char found =
      settings_.delimiter ? *settings_.delimiter : delimiter_of_header(line, settings_);
  if (found != usual && settings_.notes != nullptr) {
    settings_.notes->info("delimiter", printable(settings_.name, 400) +
                                           ": cells are separated by " + name_of_delimiter(found));
  }
  return found;
}

void DelimitedReader::check_header(const Line& line, Read read) {
  const char* format = splitter_.delimiter() == '\t' ? "TSV" : "CSV";
  switch (read) {
    case Read::kFields:
      return;
    case Read::kEnd:
      throw Error(ExitCode::kBadData, printable(settings_.name, 400) + " is empty: no header line",
                  "check that it was written completely");
    case Read::kStrayQuote:
    case Read::kCutOff:
      throw Error(ExitCode::kBadData,
                  place(line.number) + ": a quote opens in the header, and the lines behind it " +
                      "read like records of their own",
                  "close or double that quote");
    case Read::kTooLong:
    case Read::kTextAfterQuote:
      throw Error(ExitCode::kBadData,
                  place(line.number) + ": the header cannot be read as " + format,
                  "check the format, or pass over lines before it with --skip-lines");
  }
}

// The next record's fields; `first` becomes its first line.
DelimitedReader::Read DelimitedReader::read_fields(Line& first) {
  do {
    if (!lines_.next(first)) {
      return Read::kEnd;
    }
  } while (first.size == 0 && !region_);
  if (region_) {
    return read_in_region(first);
  }
  last_line_ = first.number;
  if (splitter_.delimiter() == '\t') {
    if (first.too_long) {
      return Read::kTooLong;
    }
    if (first.text.find('"') == std::string_view::npos) {
      splitter_.split(first.text);
      return Read::kFields;
    }
    splitter_.split_alone(first.text);
    return splitter_.text_after_quote() ? Read::kTextAfterQuote : Read::kFields;
  }
  if (first.too_long) {
    if (!first.odd_quotes) {
      return Read::kTooLong;
    }
  } else if (std::memchr(first.text.data(), '"', first.text.size()) == nullptr) {
    splitter_.split(first.text);
    return Read::kFields;
  } else {
    splitter_.clear();
    splitter_.add(first.text);
    if (!splitter_.inside_quotes()) {
      splitter_.finish();
      return splitter_.text_after_quote() ? Read::kTextAfterQuote : Read::kFields;
    }
  }
  return read_over_lines(first);
}

void DelimitedReader::fill(Record& record) const {
  const auto& fields = splitter_.fields();
  record.payload.assign(fields[columns_.sequence]);
  if (columns_.id) {
    record.id.assign(fields[*columns_.id]);
  }
  for (std::size_t i = 0; i < columns_.kept.size(); ++i) {
    if (const auto column = columns_.kept[i]) {
      record.kept[i].assign(fields[*column]);
    } else {
      record.kept[i] = *settings_.listed[i];
    }
  }
  if (auto again = again_.judge(fields)) {
    record.defect = std::move(again);
  } else if (record.payload.empty()) {
    record.defect = Defect{Reason::kEmpty, "the sequence is empty"};
  } else if (!settings_.list_of_paths && is_missing_cell(record.payload)) {
    record.defect =
        Defect{Reason::kMissingValue, "the sequence is '" + record.payload +
                                          "', as pandas writes and reads a missing value"};
    record.payload.clear();
  } else if (is_odd_word(record.payload) && !settings_.list_of_paths) {
    note_odd_word(settings_.notes, record.payload, place(record.line));
  }
  check_utf8(record);
}

bool DelimitedReader::is_blank_row() const {
  const auto& fields = splitter_.fields();
  return header_.size() > 1 && is_blank(fields.front()) &&
         std::all_of(fields.begin(), fields.end(), is_blank);
}

void DelimitedReader::reject(Record& record, Read read) const {
  const OpenQuote::Judgement& judged = quote_.judged();
  const bool many = last_line_ > record.line;
  const std::string lines =
      "lines " + std::to_string(record.line) + " to " + std::to_string(last_line_);
  if (read == Read::kTooLong) {
    record.defect = Defect{Reason::kLineTooLong,
                           (many ? "the record, " + lines + "," : "the record") +
                               " is longer than " + format_bytes(settings_.max_line_bytes)};
  } else if (read == Read::kTextAfterQuote) {
    record.defect =
        Defect{Reason::kBadRecord,
               "there is text between a closing quote and the end of its field" +
                   (many ? ", in " + lines : std::string()) + ": double the quotes inside fields"};
  } else if (read == Read::kCutOff || (!judged.closes && judged.first_line == judged.last_line)) {
    record.defect = Defect{Reason::kBadRecord,
                           "a quote of this record never closes" +
                               (many ? ", and " + lines + ", the last, are no others" : "") +
                               ": leave out or double that quote, or get the input's missing end"};
  } else {
    const std::string first = std::to_string(judged.first_line);
    const std::string last = std::to_string(judged.last_line);
    std::string what = "a quote opens here and never closes, and the lines behind it";
    if (judged.closes) {
      what = (record.line == judged.first_line ? "a quote opens here and closes in line " + last
                                               : "the quote of line " + first + " closes here") +
             ", and lines " + first + " to " + last;
    }
    record.defect = Defect{Reason::kBadRecord,
                           what +
                               " read like records of their own: leave out or double that quote; a "
                               "cell over lines that look so cannot be told from it"};
  }
}

bool DelimitedReader::next(Record& record) {
  for (;;) {
    Line line;
    const Read read = read_fields(line);
    if (read == Read::kEnd) {
      return false;
    }
    const bool passed_over =
        read == Read::kFields && (is_blank_row() || (region_ && line.size == 0));
    if (region_ && line.number == region_->last_line) {
      region_.reset();
    } else if (region_) {
      region_->begin.skip += passed_over ? 0 : 1;
    }
    if (passed_over) {
      blank_rows_ += line.size > 0 ? 1 : 0;
      continue;
    }
    record.line = line.number;
    record.byte = line.byte;
    record.kept.resize(columns_.kept.size());
    if (read != Read::kFields) {
      reject(record, read);
      if (read == Read::kStrayQuote && columns_.id && splitter_.fields().size() == header_.size()) {
        record.id.assign(splitter_.fields()[*columns_.id]);
      } else if (read == Read::kCutOff && columns_.id && *columns_.id == 0) {
        record.id.assign(splitter_.fields().front());
      }
    } else if (splitter_.fields().size() != header_.size()) {
      record.defect = Defect{
          Reason::kWrongFieldCount,
          std::to_string(splitter_.fields().size()) + " fields where the header has " +
              std::to_string(header_.size()) +
              (splitter_.quote_left_open() ? ", and a quote that does not close in its line" : "")};
      // A field beyond the sequence may have shifted, the id before it has not: it helps to find
      // the line, and is only shown.
      if (columns_.id && *columns_.id == 0) {
        record.id.assign(splitter_.fields().front());
      }
    } else {
      fill(record);
    }
    return true;
  }
}

SourceCursor DelimitedReader::cursor() const {
  return region_ ? region_->begin : SourceCursor{lines_.byte(), lines_.line_number(), 0};
}

LeftOut DelimitedReader::left_out() const {
  LeftOut left_out;
  left_out.add("blank rows", blank_rows_);
  return left_out;
}

bool DelimitedReader::seek(const SourceCursor& cursor) {
  if (!lines_.seek(cursor.offset, cursor.line)) {
    return false;
  }
  region_.reset();
  for (std::uint64_t passed = 0; passed < cursor.skip; ++passed) {
    Record record;
    if (!next(record)) {
      return false;
    }
  }
  blank_rows_ = 0;
  return true;
}

std::unique_ptr<SourceReader> open_delimited(std::unique_ptr<ByteSource> bytes,
                                             const SourceSettings& settings) {
  return std::make_unique<DelimitedReader>(std::move(bytes), settings);
}

}  // namespace longhaul::input
