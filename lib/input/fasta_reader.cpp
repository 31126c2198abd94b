#include "input/fasta_reader.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::input {
namespace {

constexpr std::size_t kIdColumn = 0;
constexpr std::size_t kDescriptionColumn = 1;
constexpr std::size_t kSequenceColumn = 2;
constexpr std::string_view kBlanks = " \t\v\f";
constexpr std::size_t kNone = std::string_view::npos;

std::string_view without_blanks_at_end(std::string_view text) {
  const std::size_t last = text.find_last_not_of(kBlanks);
  return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}

// Whether every byte is above '>', as letters are: eight at a time, by "hasless" of Sean Anderson's
// Bit Twiddling Hacks, which is exact for whether there is one.
bool letters_alone(std::string_view text) {
  constexpr std::uint64_t kOnes = ~std::uint64_t{0} / 255;
  constexpr std::uint64_t kLeast = kOnes * ('>' + 1);
  constexpr std::uint64_t kHighest = kOnes * 0x80;
  std::uint64_t found = 0;
  std::size_t at = 0;
  for (; at + sizeof(std::uint64_t) <= text.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, text.data() + at, sizeof eight);
    found |= (eight - kLeast) & ~eight & kHighest;
  }
  return found == 0 && std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(),
                                   [](char c) { return static_cast<unsigned char>(c) > '>'; });
}

char first_of(const Line& line) {
  return line.too_long ? line.first : line.text.empty() ? '\n' : line.text.front();
}

std::string_view without_blanks_at_start(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

}  // namespace

FastaReader::FastaReader(std::unique_ptr<ByteSource> bytes, const SourceSettings& settings)
    : settings_(settings),
      lines_(std::move(bytes), settings.name, settings.max_line_bytes, settings.block_bytes),
      columns_(choose_columns({"id", "description", "sequence"}, settings)) {
  if (columns_.sequence != kSequenceColumn) {
    throw Error(ExitCode::kUsage,
                printable(settings.name, 400) +
                    " is FASTA, where the sequence is "
                    "no choice of columns",
                "leave out --sequence-column, or say --format");
  }
  lines_.skip(settings_.skip_lines);
  find_header();
}

SourceCursor FastaReader::cursor() const {
  return have_header_ ? header_at_ : SourceCursor{lines_.byte(), lines_.line_number(), 0};
}

bool FastaReader::seek(const SourceCursor& cursor) {
  if (!lines_.seek(cursor.offset, cursor.line)) {
    return false;
  }
  have_header_ = false;
  if (cursor.skip == 0) {
    find_header();
    return true;
  }
  Line line;
  if (!lines_.next(line)) {
    return false;
  }
  Record nothing;
  take_glued_header(line, line.text.find('>'), nothing);
  return true;
}

// Goes to the first header, over empty lines and comments.
void FastaReader::find_header() {
  Record nothing;
  header_too_long_ = false;
  header_glued_ = Glued::kNot;
  read_residues(nothing);
}

// Whether the line is a header, perhaps with blanks before it.
bool FastaReader::take_header(const Line& line) {
  const std::string_view text =
      line.too_long ? std::string_view(&line.first, 1) : without_blanks_at_start(line.text);
  if (text.empty() || text.front() != '>') {
    return false;
  }
  have_header_ = true;
  header_too_long_ = line.too_long;
  header_glued_ = Glued::kNot;
  header_.assign(text.substr(1));
  header_at_ = {line.byte, line.number, 0};
  return true;
}

// The header begins at the '>' at `at`, but the place to enter it from is the line. The record
// before it is none either.
void FastaReader::take_glued_header(const Line& line, std::size_t at, Record& before) {
  have_header_ = true;
  const bool comment = first_of(line) == ';';
  header_glued_ = comment ? Glued::kToComment : Glued::kToResidues;
  header_too_long_ = line.too_long;
  header_.assign(line.too_long ? std::string_view() : line.text.substr(at + 1));
  header_at_ = {line.byte, line.number, 1};
  before.defect =
      Defect{Reason::kBadRecord,
             "line " + std::to_string(line.number) +
                 (comment ? ", a comment, holds a '>'" : " holds a '>' behind residues") +
                 ": put a line break before it if a header begins there, as when files are joined" +
                 (comment ? ", or else take it out" : "")};
}

// Whether the line is a comment, perhaps with a header glued to it.
bool FastaReader::take_comment(const Line& line, Record& record) {
  if (first_of(line) != ';') {
    return false;
  }
  const std::size_t glued = line.inner_header ? 0 : line.text.find('>');
  if (glued != kNone) {
    take_glued_header(line, glued, record);
  }
  return true;
}

// Adds what of the line are residues, up to a '>'; where that stands, or kNone.
std::size_t FastaReader::add_residues(const Line& line, std::string& residues) const {
  const std::string_view text = line.text;
  if (letters_alone(text)) {  // they are above all that needs a look
    residues.append(text);
    return kNone;
  }
  const std::size_t header = text.find('>');
  for (std::size_t at = 0; at < std::min(header, text.size());) {
    const std::size_t begin = text.find_first_not_of(kBlanks, at);
    if (begin >= header) {
      break;
    }
    const std::size_t end = std::min({text.find_first_of(kBlanks, begin), header, text.size()});
    const std::string_view word = text.substr(begin, end - begin);
    if (word.find_first_not_of("0123456789") != std::string_view::npos) {
      residues.append(word);
    } else if (settings_.notes != nullptr) {
      settings_.notes->warning(
          "numbers", printable(settings_.name, 400) + ", line " + std::to_string(line.number) +
                         ": numbers between residues, as GenBank's columns have them, "
                         "are passed over (said once)");
    }
    at = end;
  }
  return header;
}

// Adds residues to the record up to the next header, which is kept for the record after.
void FastaReader::read_residues(Record& record) {
  const bool inside_record = have_header_;
  bool too_long = header_too_long_;
  have_header_ = false;
  Line line;
  while (!have_header_ && lines_.next(line)) {
    if (take_header(line)) {
      break;
    }
    if (take_comment(line, record)) {
      continue;
    }
    if (!inside_record) {
      const std::string_view text = without_blanks_at_end(line.text);
      if (line.too_long || !text.empty()) {
        throw Error(ExitCode::kBadData,
                    printable(settings_.name, 400) + ", line " + std::to_string(line.number) +
                        " (byte " + std::to_string(line.byte) + "): not FASTA, since '" +
                        printable(text, 40) + "' stands before the first '>'",
                    "check the format, or pass over lines before it with --skip-lines");
      }
      continue;
    }
    std::size_t glued = line.inner_header ? 0 : kNone;
    too_long = too_long || line.too_long;
    if (!line.too_long) {
      glued = add_residues(line, too_long ? scratch_ : record.payload);
      scratch_.clear();
      too_long = too_long || record.payload.size() > settings_.max_line_bytes;
    }
    if (too_long) {
      record.payload = std::string();
    }
    if (glued != kNone) {
      take_glued_header(line, glued, record);
    }
  }
  if (too_long) {
    record.payload = std::string();
    record.defect =
        Defect{Reason::kLineTooLong, "the record has a line, or residues, of more than " +
                                         format_bytes(settings_.max_line_bytes)};
  }
}

void FastaReader::fill_from_header(Record& record) const {
  const std::string_view header = without_blanks_at_start(header_);
  const std::size_t end = std::min(header.find_first_of(kBlanks), header.size());
  const std::string_view id = header.substr(0, end);
  const std::string_view description =
      without_blanks_at_end(without_blanks_at_start(header.substr(end)));
  if (columns_.id == kIdColumn) {
    record.id.assign(id);
  } else if (columns_.id == kDescriptionColumn) {
    record.id.assign(description);
  }
  for (std::size_t i = 0; i < columns_.kept.size(); ++i) {
    const auto column = columns_.kept[i];
    if (!column) {
      record.kept[i] = *settings_.listed[i];
    } else if (*column == kIdColumn) {
      record.kept[i].assign(id);
    } else if (*column == kDescriptionColumn) {
      record.kept[i].assign(description);
    }
  }
}

bool FastaReader::next(Record& record) {
  if (!have_header_) {
    return false;
  }
  record.line = header_at_.line;
  record.byte = header_at_.offset;
  record.kept.resize(columns_.kept.size());
  fill_from_header(record);
  if (header_glued_ != Glued::kNot) {
    const bool comment = header_glued_ == Glued::kToComment;
    record.defect =
        Defect{Reason::kBadRecord,
               (comment ? "its header stands in a comment, in line "
                        : "its header stands behind residues of the record before, in line ") +
                   std::to_string(header_at_.line) + ": put a line break before its '>'" +
                   (comment ? ", or take that out if none begins there" : "")};
  }
  header_glued_ = Glued::kNot;
  read_residues(record);
  // --keep-column sequence
  for (std::size_t i = 0; i < columns_.kept.size(); ++i) {
    if (columns_.kept[i] == kSequenceColumn) {
      record.kept[i] = record.payload;
    }
  }
  if (!record.defect && record.payload.empty()) {
    record.defect = Defect{Reason::kEmpty, "the header is followed by no residues"};
  }
  if (!record.defect) {
    check_utf8(record);
  }
  return true;
}

std::unique_ptr<SourceReader> open_fasta(std::unique_ptr<ByteSource> bytes,
                                         const SourceSettings& settings) {
  return std::make_unique<FastaReader>(std::move(bytes), settings);
}

}  // namespace longhaul::input
