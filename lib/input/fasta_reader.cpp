#include "input/fasta_reader.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul {
namespace {

constexpr std::size_t kIdColumn = 0;
constexpr std::size_t kDescriptionColumn = 1;
constexpr std::size_t kSequenceColumn = 2;
constexpr std::string_view kBlanks = " \t";

std::string_view without_blanks_at_end(std::string_view text) {
  const std::size_t last = text.find_last_not_of(kBlanks);
  return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
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
  Line line;
  for (std::uint64_t skipped = 0; skipped < settings_.skip_lines && lines_.next(line); ++skipped) {
  }
  find_header();
}

SourceCursor FastaReader::cursor() const {
  return have_header_ ? header_at_ : SourceCursor{lines_.byte(), lines_.line_number()};
}

bool FastaReader::seek(const SourceCursor& cursor) {
  if (!lines_.seek(cursor.offset, cursor.line)) {
    return false;
  }
  have_header_ = false;
  find_header();
  return true;
}

// Goes to the first header, over empty lines and comments.
void FastaReader::find_header() {
  Record nothing;
  header_too_long_ = false;
  read_residues(nothing);
}

// Adds residues to the record up to the next header, which is kept for the record after.
void FastaReader::read_residues(Record& record) {
  const bool inside_record = have_header_;
  bool too_long = header_too_long_;
  have_header_ = false;
  Line line;
  while (lines_.next(line)) {
    const char first = line.too_long ? line.first : line.text.empty() ? '\n' : line.text.front();
    if (first == '>') {
      have_header_ = true;
      header_too_long_ = line.too_long;
      header_.assign(line.too_long ? line.text : line.text.substr(1));
      header_at_ = {line.byte, line.number};
      break;
    }
    const std::string_view residues = without_blanks_at_end(line.text);
    if (!inside_record && first != ';' && (line.too_long || !residues.empty())) {
      throw Error(ExitCode::kBadData,
                  printable(settings_.name, 400) + ", line " + std::to_string(line.number) +
                      " (byte " + std::to_string(line.byte) + "): not FASTA, since '" +
                      printable(residues, 40) + "' stands before the first '>'",
                  "check the format, or pass over lines before it with --skip-lines");
    }
    too_long = too_long || line.too_long ||
               record.payload.size() + residues.size() > settings_.max_line_bytes;
    if (first != ';' && !too_long) {
      record.payload.append(residues);
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

}  // namespace longhaul
