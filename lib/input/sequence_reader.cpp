#include "input/sequence_reader.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "input/line_scanner.hpp"
#include "input/nucleotide_check.hpp"
#include "input/source_content.hpp"

namespace longhaul::input {
namespace {

constexpr std::size_t kBytesOfKind = 4096;
constexpr std::size_t kRecordsAhead = 1000;
constexpr std::uint64_t kBytesAhead = 16ULL << 20;
constexpr std::array<std::string_view, 4> kCursorFields = {"source=", " byte=", " line=", " skip="};

std::string cursor_text(std::size_t source, const SourceCursor& cursor) {
  return "source=" + std::to_string(source) + " byte=" + std::to_string(cursor.offset) +
         " line=" + std::to_string(cursor.line) +
         (cursor.skip > 0 ? " skip=" + std::to_string(cursor.skip) : "");
}

// "source=0 byte=4096 line=12", with " skip=3" where records there were given before.
std::optional<std::array<std::uint64_t, 4>> parse_cursor(std::string_view text) {
  std::array<std::uint64_t, 4> values{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i == 3 && text.empty()) {
      break;
    }
    if (text.substr(0, kCursorFields[i].size()) != kCursorFields[i]) {
      return std::nullopt;
    }
    text.remove_prefix(kCursorFields[i].size());
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), values[i]);
    if (error != std::errc()) {
      return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
  return text.empty() ? std::optional(values) : std::nullopt;
}

std::unique_ptr<SourceReader> open_parquet(const SourceSettings& settings,
                                           const InputBackends& backends) {
  if (!backends.open_parquet) {
    throw Error(ExitCode::kUnavailable,
                "this build cannot read " + printable(settings.name, 400) +
                    ", which is Parquet: it was made without Arrow",
                "convert it to CSV, or build with LONGHAUL_ARROW=ON");
  }
  return backends.open_parquet(settings);
}

// The format where the name tells none.
InputFormat recognised(PeekedSource& text, const InputFile& file, const SourceSettings& settings) {
  const std::string shown = file.path == "-" ? "standard input" : printable(file.path, 400);
  if (text.head(1).empty()) {
    throw Error(ExitCode::kBadData, shown + " is empty: it has 0 bytes",
                "check that it was written completely");
  }
  const std::string_view head = text.head(kBytesOfKind);
  if (!head.starts_with("PAR1")) {
    check_is_text(head, file.path);
  }
  const auto format = format_of_content(text, settings);
  const bool parquet = format == InputFormat::kParquet;
  if (!format || (parquet && !file.identity.regular)) {
    throw Error(
        ExitCode::kUsage,
        parquet ? shown + " is a stream, and Parquet is read from files"
                : "the format of " + shown + " cannot be told by its name or its first line",
        parquet ? "save it as a file first" : "say --format fasta, csv, tsv, jsonl or parquet");
  }
  settings.notes->info(
      "format", shown + ": read as " + std::string(to_string(*format)) + ", by its first line");
  return *format;
}

// A run may open its last file hours after it looked at it.
void check_unchanged(const InputFile& file) {
  if (!file.identity.regular) {
    return;
  }
  const SourceIdentity now = identify_source(file.path);
  if (now.size != file.identity.size || now.modified_ns != file.identity.modified_ns ||
      now.inode != file.identity.inode) {
    throw Error(ExitCode::kIo,
                printable(file.path, 400) + " changed after the run began: it had " +
                    std::to_string(file.identity.size) + " bytes and has " +
                    std::to_string(now.size),
                "do not write to an input of a run; the same command checks what it has");
  }
}

}  // namespace

SequenceReader::SequenceReader(const InputSettings& settings, const InputBackends& backends)
    : settings_(settings), backends_(backends), notes_(std::make_unique<InputNotes>(settings.log)) {
  InputFiles inputs = list_sequence_inputs(settings);
  files_ = std::move(inputs.files);
  passed_left_out_ = std::move(inputs.left_out);
  check_sources();
  look_ahead();
}

std::unique_ptr<SourceReader> SequenceReader::open(std::size_t source) {
  InputFile& file = files_[source];
  SourceSettings settings;
  settings.path = file.path;
  settings.name = file.path;
  settings.format = file.format.format;
  settings.sequence_column = settings_.sequence_column;
  settings.id_column = settings_.id_column;
  settings.keep_columns = settings_.keep_columns;
  settings.listed = file.listed;
  settings.skip_lines = settings_.skip_lines;
  settings.max_line_bytes = settings_.max_line_bytes;
  settings.block_bytes = settings_.block_bytes;
  settings.delimiter = settings_.delimiter;
  settings.notes = notes_.get();
  if (settings.format == InputFormat::kParquet) {
    check_unchanged(file);
    return open_parquet(settings, backends_);
  }
  auto stored = open_byte_source(file.path, settings_.stop);
  check_unchanged(file);
  auto bytes = open_text(std::move(stored), file.format.compression, settings, backends_);
  if (file.by_content) {
    settings.format = file.format.format = recognised(*bytes, file, settings);
  }
  if (settings.delimiter && settings.format != InputFormat::kCsv &&
      settings.format != InputFormat::kTsv) {
    throw Error(ExitCode::kUsage,
                printable(file.path, 400) + " is " + std::string(to_string(settings.format)) +
                    ", which has no delimiter",
                "leave out --delimiter");
  }
  switch (settings.format) {
    case InputFormat::kParquet:
      return open_parquet(settings, backends_);
    case InputFormat::kFasta:
      return open_fasta(std::move(bytes), settings);
    case InputFormat::kJsonLines:
      return open_json_lines(std::move(bytes), settings);
    default:
      return open_delimited(std::move(bytes), settings);
  }
}

// Opens every file once, so that a wrong column in the last one is said now and not in an hour.
void SequenceReader::check_sources() {
  std::uint64_t rows = 0;
  bool all_known = true;
  for (std::size_t i = 0; i < files_.size(); ++i) {
    if (!files_[i].identity.regular) {
      all_known = false;
      continue;
    }
    const auto known = open(i)->records_total();
    all_known = all_known && known.has_value();
    rows += known.value_or(0);
  }
  if (all_known) {
    records_total_ = rows;
  }
}

void SequenceReader::look_ahead() {
  NucleotideCheck check;
  std::uint64_t bytes = 0;
  while (ahead_.size() < kRecordsAhead && bytes < kBytesAhead) {
    Ahead next;
    if (!read(next, &next.left_out)) {
      break;
    }
    bytes += next.record.payload.size();
    if (!next.record.defect) {
      check.add(next.record.payload);
    }
    ahead_.push_back(std::move(next));
  }
  if (ahead_.empty()) {
    const std::string& first = files_.front().path;
    throw Error(ExitCode::kBadData,
                (first == "-" ? "standard input" : printable(first, 400)) +
                    (files_.size() > 1
                         ? " and the " + std::to_string(files_.size() - 1) + " inputs after it"
                         : std::string()) +
                    ": no records",
                "check that the input was written completely");
  }
  if (!settings_.allow_nucleotides && check.looks_like_nucleotides()) {
    throw Error(ExitCode::kBadData,
                printable(ahead_.front().record.source, 400) +
                    " looks like nucleotides: at least 95 % of the letters of its first " +
                    std::to_string(ahead_.size()) + " sequences are A, C, G, T, U or N",
                "translate it to protein, or pass --allow-nucleotides");
  }
}

// The next record of all sources, and what was left out before its cursor; false at the end of the
// last.
bool SequenceReader::read(Ahead& into, LeftOut* left_out) {
  while (source_ < files_.size()) {
    if (!current_) {
      current_ = open(source_);
      begin_ = {read_position_, read_position_, cursor_text(source_, {}), passed_left_out_};
    }
    into.cursor = current_->cursor();
    into.bytes = bytes_so_far();
    if (left_out != nullptr) {
      *left_out = left_out_so_far();
    }
    if (current_->next(into.record)) {
      into.source = source_;
      into.record.source = files_[source_].path;
      into.record.position = read_position_;
      into.record.row = read_position_++;
      if (into.record.id.empty()) {
        into.record.id = std::to_string(into.record.position);
      }
      return true;
    }
    passed_bytes_ += current_->stored_bytes_read();
    passed_left_out_.add(current_->left_out());
    current_.reset();
    ++source_;
  }
  return false;
}

std::optional<Record> SequenceReader::next() {
  Ahead next;
  if (!ahead_.empty()) {
    next = std::move(ahead_.front());
    ahead_.pop_front();
  } else if (!read(next)) {
    return std::nullopt;
  }
  return std::move(next.record);
}

InputPosition SequenceReader::position() const {
  std::uint64_t position = read_position_;
  std::size_t source = source_;
  SourceCursor cursor;
  LeftOut left_out = ahead_.empty() ? left_out_so_far() : ahead_.front().left_out;
  if (!ahead_.empty()) {
    position = ahead_.front().record.position;
    source = ahead_.front().source;
    cursor = ahead_.front().cursor;
  } else if (current_) {
    cursor = current_->cursor();
  }
  return {position, position, cursor_text(source, cursor), std::move(left_out)};
}

std::optional<InputPosition> SequenceReader::source_begin() const {
  return current_ && ahead_.empty() ? begin_ : std::nullopt;
}

std::uint64_t SequenceReader::bytes_so_far() const {
  return passed_bytes_ + (current_ ? current_->stored_bytes_read() : 0);
}

LeftOut SequenceReader::left_out_so_far() const {
  LeftOut left_out = passed_left_out_;
  if (current_) {
    left_out.add(current_->left_out());
  }
  return left_out;
}

// Whether everything before the place is a file, which the caller can tell is unchanged, and the
// place itself can be gone to.
bool SequenceReader::can_enter(std::size_t source, const SourceCursor& cursor) const {
  const bool files_before =
      std::all_of(files_.begin(), files_.begin() + static_cast<std::ptrdiff_t>(source),
                  [](const InputFile& file) { return file.identity.regular; });
  const bool at_beginning = source == files_.size() || cursor.line == 0;
  return files_before && (at_beginning || files_[source].identity.regular);
}

bool SequenceReader::seek(const InputPosition& position) {
  if (position.cursor == this->position().cursor) {
    return true;
  }
  const auto values = parse_cursor(position.cursor);
  if (!values || (*values)[0] > files_.size()) {
    return false;
  }
  const auto source = static_cast<std::size_t>((*values)[0]);
  const SourceCursor cursor{(*values)[1], (*values)[2], (*values)[3]};
  if (!can_enter(source, cursor)) {
    return false;
  }
  std::unique_ptr<SourceReader> entered;
  if (source < files_.size() && cursor.line > 0) {
    if (source == source_ && current_ && current_->go_on(cursor)) {
      entered = std::move(current_);
    } else {
      entered = open(source);
      if (!entered->seek(cursor)) {
        return false;
      }
    }
  }
  ahead_.clear();
  begin_.reset();
  source_ = source;
  current_ = std::move(entered);
  read_position_ = position.position;
  passed_left_out_ = position.left_out;
  passed_bytes_ = 0;
  for (std::size_t i = 0; i < source; ++i) {
    passed_bytes_ += files_[i].identity.size;
  }
  return true;
}

InputProgress SequenceReader::progress() const {
  InputProgress progress;
  progress.bytes_read = ahead_.empty() ? bytes_so_far() : ahead_.front().bytes;
  progress.records_total = records_total_;
  std::uint64_t total = 0;
  for (const InputFile& file : files_) {
    if (!file.identity.regular) {
      return progress;
    }
    total += file.identity.size;
  }
  progress.bytes_total = total;
  return progress;
}

std::vector<SourceIdentity> SequenceReader::sources() const {
  std::vector<SourceIdentity> identities;
  for (const InputFile& file : files_) {
    identities.push_back(file.identity);
    identities.back().format = to_string(file.format.format);
  }
  return identities;
}

}  // namespace longhaul::input
