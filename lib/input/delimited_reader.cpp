#include "input/delimited_reader.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul {

void FieldSplitter::split(std::string_view line) {
  fields_.clear();
  text_after_quote_ = false;
  const char* at = line.data();
  const char* const end = at + line.size();
  for (;;) {
    const auto left = static_cast<std::size_t>(end - at);
    const void* found = left == 0 ? nullptr : std::memchr(at, delimiter_, left);
    if (found == nullptr) {
      fields_.emplace_back(at, left);
      return;
    }
    const char* stop = static_cast<const char*>(found);
    fields_.emplace_back(at, static_cast<std::size_t>(stop - at));
    at = stop + 1;
  }
}

void FieldSplitter::clear() {
  state_ = State::kFieldStart;
  text_after_quote_ = false;
  text_.clear();
  ends_.clear();
  fields_.clear();
}

void FieldSplitter::forget() {
  text_ = std::string();
  ends_.clear();
}

void FieldSplitter::end_field() {
  ends_.push_back(text_.size());
  state_ = State::kFieldStart;
}

void FieldSplitter::add(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    switch (state_) {
      case State::kQuoted: {
        const std::size_t quote = text.find('"', at);
        const std::size_t end = quote == std::string_view::npos ? text.size() : quote;
        text_.append(text, at, end - at);
        at = end;
        if (quote != std::string_view::npos) {
          state_ = State::kQuoteSeen;
        }
        break;
      }
      case State::kQuoteSeen:
        if (c == '"') {
          text_ += c;
          state_ = State::kQuoted;
        } else if (c == delimiter_) {
          end_field();
        } else {
          text_after_quote_ = true;
          text_ += c;
          state_ = State::kPlain;
        }
        break;
      case State::kFieldStart:
        if (c == '"') {
          state_ = State::kQuoted;
          ++quotes_opened_;
          break;
        }
        state_ = State::kPlain;
        [[fallthrough]];
      case State::kPlain: {
        const std::size_t end = std::min(text.find(delimiter_, at), text.size());
        text_.append(text, at, end - at);
        at = end;
        if (end < text.size()) {
          end_field();
        }
        break;
      }
    }
  }
}

void FieldSplitter::finish() {
  end_field();
  std::size_t begin = 0;
  for (const std::size_t end : ends_) {
    fields_.emplace_back(text_.data() + begin, end - begin);
    begin = end;
  }
}

DelimitedReader::DelimitedReader(std::unique_ptr<ByteSource> bytes, const SourceSettings& settings)
    : settings_(settings),
      lines_(std::move(bytes), settings.name, settings.max_line_bytes, settings.block_bytes),
      splitter_(settings.format == InputFormat::kTsv ? '\t' : ',') {
  read_header();
  columns_ = choose_columns(header_, settings_);
}

void DelimitedReader::read_header() {
  Line line;
  for (std::uint64_t skipped = 0; skipped < settings_.skip_lines && lines_.next(line); ++skipped) {
  }
  for (;;) {
    // What is passed over may hold anything, a lone quote too, so it is looked at before it is
    // read as a record.
    const std::string_view ahead = lines_.peek(1);
    if (ahead.empty() || std::string_view("#\r\n").find(ahead.front()) == std::string_view::npos) {
      break;
    }
    lines_.next(line);
  }
  switch (read_fields(line)) {
    case Read::kFields:
      break;
    case Read::kEnd:
      throw Error(ExitCode::kBadData, printable(settings_.name, 400) + " is empty: no header line",
                  "check that it was written completely");
    case Read::kTooLong:
    case Read::kTextAfterQuote:
      throw Error(ExitCode::kBadData,
                  printable(settings_.name, 400) + ", line " + std::to_string(line.number) +
                      ": the header cannot be read as " +
                      (settings_.format == InputFormat::kTsv ? "TSV" : "CSV"),
                  "check the format, or pass over lines before it with --skip-lines");
  }
  for (const std::string_view name : splitter_.fields()) {
    header_.emplace_back(name);
  }
}

// The next record's fields; `first` becomes its first line.
DelimitedReader::Read DelimitedReader::read_fields(Line& first) {
  do {
    if (!lines_.next(first)) {
      return Read::kEnd;
    }
  } while (first.size == 0);
  if (first.too_long) {
    if (!first.odd_quotes) {
      return Read::kTooLong;
    }
  } else if (std::memchr(first.text.data(), '"', first.text.size()) == nullptr) {
    splitter_.split(first.text);
    return Read::kFields;
  }
  return read_quoted(first);
}

DelimitedReader::Read DelimitedReader::read_quoted(Line& first) {
  splitter_.clear();
  bool too_long = first.too_long;
  if (too_long) {
    splitter_.add("\"");  // nothing of it is kept but that a quote is open
  } else {
    splitter_.add(first.text);
  }
  Line line = first;
  Line opened = first;  // where the quote that is open was opened
  std::uint64_t quotes = splitter_.quotes_opened();
  while (splitter_.inside_quotes()) {
    if (splitter_.quotes_opened() != quotes) {
      quotes = splitter_.quotes_opened();
      opened = line;
    }
    splitter_.add(line.terminator);
    if (!lines_.next(line)) {
      throw Error(ExitCode::kBadData,
                  printable(settings_.name, 400) + ", line " + std::to_string(opened.number) +
                      " (byte " + std::to_string(opened.byte) +
                      "): a quote opened in this line never closes",
                  "close or double that quote");
    }
    if (line.too_long) {
      too_long = true;
      if (line.odd_quotes) {
        splitter_.add("\"");
      }
    } else {
      splitter_.add(line.text);
    }
    if (too_long || splitter_.bytes_held() > settings_.max_line_bytes) {
      too_long = true;
      splitter_.forget();
    }
  }
  if (too_long) {
    return Read::kTooLong;
  }
  splitter_.finish();
  return splitter_.text_after_quote() ? Read::kTextAfterQuote : Read::kFields;
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
  if (record.payload.empty()) {
    record.defect = Defect{Reason::kEmpty, "the sequence is empty"};
  }
  check_utf8(record);
}

bool DelimitedReader::next(Record& record) {
  Line line;
  const Read read = read_fields(line);
  if (read == Read::kEnd) {
    return false;
  }
  record.line = line.number;
  record.byte = line.byte;
  record.kept.resize(columns_.kept.size());
  if (read == Read::kTooLong) {
    record.defect = Defect{Reason::kLineTooLong,
                           "the record is longer than " + format_bytes(settings_.max_line_bytes)};
  } else if (read == Read::kTextAfterQuote) {
    record.defect = Defect{Reason::kBadRecord,
                           "there is text between a closing quote and the "
                           "end of its field: double the quotes inside fields"};
  } else if (splitter_.fields().size() != header_.size()) {
    record.defect = Defect{Reason::kWrongFieldCount, std::to_string(splitter_.fields().size()) +
                                                         " fields where the header has " +
                                                         std::to_string(header_.size())};
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

bool DelimitedReader::seek(const SourceCursor& cursor) {
  return lines_.seek(cursor.offset, cursor.line);
}

std::unique_ptr<SourceReader> open_delimited(std::unique_ptr<ByteSource> bytes,
                                             const SourceSettings& settings) {
  return std::make_unique<DelimitedReader>(std::move(bytes), settings);
}

}  // namespace longhaul
