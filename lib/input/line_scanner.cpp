#include "input/line_scanner.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::input {
namespace {

constexpr std::size_t kSniffedBytes = 64 * 1024;
constexpr std::string_view kMark = "\xef\xbb\xbf";

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// UTF-16 without a mark: nearly every second byte is zero. Nothing for other text.
const char* utf16_by_zeros(std::string_view head) {
  std::size_t zeros[2] = {0, 0};
  for (std::size_t i = 0; i < head.size(); ++i) {
    zeros[i % 2] += head[i] == '\0' ? 1U : 0U;
  }
  const auto most = [&](std::size_t place) {
    return head.size() >= 4 && 10 * zeros[place] >= 4 * head.size() && zeros[1 - place] == 0;
  };
  return most(1) ? "UTF-16LE" : most(0) ? "UTF-16BE" : nullptr;
}

}  // namespace

void check_is_text(std::string_view head, const std::string& name, bool list_of_paths) {
  const std::string where = name == "-" ? "standard input" : printable(name, 400);
  const std::string file = name == "-" ? "FILE" : shell_word(where);
  const std::string run = " | longhaul embed MODEL - --format FORMAT -o OUT";
  const std::string list = "a list is text, one path a line, or CSV or TSV with a column 'path'";
  const auto refuse = [&](const std::string& what, const std::string& remedy) {
    throw Error(ExitCode::kBadData, where + ", byte 0: " + what + ", not the text it was to be",
                list_of_paths && remedy != "decompress it first" ? list : remedy);
  };
  const struct {
    std::string_view magic;
    std::string what, remedy;
  } known[] = {
      {"\x1f\x8b", "is compressed with gzip", "decompress it first"},
      {"\x28\xb5\x2f\xfd", "is compressed with Zstandard", "decompress it first"},
      {{"\x5d\0\0", 3}, "is compressed with lzma", "pipe it: xz -dc " + file + run},
      {"PAR1", "is a Parquet file", "use --format parquet"},
      {"PK\x03\x04", "is a zip archive or a spreadsheet",
       "unzip it, or save the spreadsheet as CSV"},
      {"7z\xbc\xaf\x27\x1c", "is a 7z archive", "unpack it first"},
      {"\xff\xfe", "is UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 " + file + run},
      {"\xfe\xff", "is UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 " + file + run},
  };
  for (const auto& kind : known) {
    if (starts_with(head, kind.magic)) {
      refuse(kind.what, kind.remedy);
    }
  }
  constexpr std::size_t kTarMagic = 257;
  if (head.size() > kTarMagic && starts_with(head.substr(kTarMagic), "ustar")) {
    refuse("is a tar archive", "unpack it: tar -xf " + file + ", and give its files or folder");
  }
  if (const char* utf16 = utf16_by_zeros(head)) {
    refuse("is " + std::string(utf16) + " text",
           "convert it: iconv -f " + std::string(utf16) + " -t UTF-8 " + file + run);
  }
  const std::size_t zero = head.find('\0');
  if (zero != std::string_view::npos) {
    const auto line =
        std::count(head.begin(), head.begin() + static_cast<std::ptrdiff_t>(zero), '\n');
    throw Error(ExitCode::kBadData,
                where + " is binary, not text: byte " + std::to_string(zero) + " (line " +
                    std::to_string(line + 1) + ") is zero",
                list_of_paths ? list
                              : "check that it is the right file; zero bytes in text are taken out "
                                "by: tr -d '\\0' < " +
                                    file + run);
  }
}

LineScanner::LineScanner(std::unique_ptr<ByteSource> source, std::string name,
                         std::uint64_t max_line_bytes, std::size_t block_bytes, bool list_of_paths)
    : source_(std::move(source)),
      name_(std::move(name)),
      max_line_bytes_(max_line_bytes),
      list_of_paths_(list_of_paths),
      block_bytes_(std::max<std::size_t>(block_bytes, 1)) {
  buffer_.resize(2 * block_bytes_);
}

std::size_t LineScanner::find(Finder& finder, std::size_t from) const {
  if (finder.at != kNone && finder.at >= from) {
    return finder.at;
  }
  const std::size_t start = std::max(from, finder.scanned);
  const void* found =
      start < end_ ? std::memchr(buffer_.data() + start, finder.wanted, end_ - start) : nullptr;
  if (found == nullptr) {
    finder.at = kNone;
    finder.scanned = std::max(end_, finder.scanned);
  } else {
    finder.at = static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data());
    finder.scanned = finder.at + 1;
  }
  return finder.at;
}

std::size_t LineScanner::first_break() {
  return std::min(find(line_feed_, begin_), find(carriage_return_, begin_));
}

void LineScanner::forget_found() {
  line_feed_ = Finder{'\n'};
  carriage_return_ = Finder{'\r'};
}

// Moves what is not consumed to the front, and gives back what one very long line had claimed.
void LineScanner::drop_consumed() {
  const std::size_t kept = end_ - begin_;
  std::memmove(buffer_.data(), buffer_.data() + begin_, kept);
  const std::size_t shift = begin_;
  for (Finder* finder :
       {&line_feed_, &carriage_return_, &looked_line_feed_, &looked_carriage_return_}) {
    if (finder->at != kNone) {
      finder->at = finder->at >= shift ? finder->at - shift : kNone;
    }
    finder->scanned -= std::min(shift, finder->scanned);
  }
  looked_ -= std::min(shift, looked_);
  base_ += shift;
  begin_ = 0;
  end_ = kept;
  if (buffer_.size() > 16 * block_bytes_ && kept < block_bytes_) {
    buffer_.resize(2 * block_bytes_);
    buffer_.shrink_to_fit();
  }
}

// Reads one more block; false at the end of the source.
bool LineScanner::refill() {
  if (ended_) {
    return false;
  }
  if (begin_ > 0) {
    drop_consumed();
  }
  if (end_ + block_bytes_ > buffer_.size()) {
    // Doubled, but never beyond what the longest line that is kept needs.
    const std::uint64_t most = max_line_bytes_ + 2 * block_bytes_;
    const std::uint64_t doubled = std::min<std::uint64_t>(2 * end_, most);
    buffer_.resize(std::max(end_ + block_bytes_, static_cast<std::size_t>(doubled)));
  }
  const std::size_t got = source_->read({buffer_.data() + end_, block_bytes_});
  end_ += got;
  ended_ = got == 0;
  return !ended_;
}

void LineScanner::start() {
  started_ = true;
  const std::size_t wanted = std::clamp<std::size_t>(block_bytes_, 4, kSniffedBytes);
  while (end_ < wanted && refill()) {
  }
  // As far as was wanted, however much came: the same for a file and a pipe.
  const std::string_view head(buffer_.data(), std::min(end_, wanted));
  check_is_text(head, name_, list_of_paths_);
  begin_ = behind_marks(0, end_);
}

// Where the text at `at` begins.
std::size_t LineScanner::behind_marks(std::size_t at, std::size_t end) const {
  while (starts_with({buffer_.data() + at, end - at}, kMark)) {
    at += kMark.size();
  }
  return at;
}

std::size_t LineScanner::terminator_size(std::size_t end) const {
  if (end >= end_) {
    return 0;
  }
  return buffer_[end] == '\r' && end + 1 < end_ && buffer_[end + 1] == '\n' ? 2 : 1;
}

void LineScanner::emit(Line& line, std::size_t end) {
  const std::size_t terminator = terminator_size(end);
  line.text = {buffer_.data() + begin_, end - begin_};
  line.terminator = {buffer_.data() + end, terminator};
  line.number = line_number_++;
  line.byte = base_ + begin_;
  line.size = line.text.size();
  line.too_long = line.size > max_line_bytes_;
  line.odd_quotes = line.inner_header = false;
  if (line.too_long) {
    line.first = line.text.front();
    line.odd_quotes = std::count(line.text.begin(), line.text.end(), '"') % 2 != 0;
    line.inner_header = line.text.find('>', 1) != std::string_view::npos;
    line.text = {};
  }
  begin_ = end + terminator;
}

bool LineScanner::next(Line& line, bool goes_on) {
  if (!started_) {
    start();
  }
  for (;;) {
    const std::size_t end = first_break();
    const std::size_t begin = goes_on ? begin_ : behind_marks(begin_, std::min(end, end_));
    if (end != kNone) {
      // A CR that is the last byte read may be half of a CRLF.
      if (buffer_[end] == '\n' || end + 1 < end_ || ended_) {
        begin_ = begin;
        emit(line, end);
        return true;
      }
    } else if (ended_) {
      if (begin_ == end_) {
        return false;
      }
      begin_ = begin;
      emit(line, end_);
      return true;
    } else if (end_ - begin > max_line_bytes_) {
      begin_ = begin;
      pass_over(line);
      return true;
    }
    refill();
  }
}

void LineScanner::skip(std::uint64_t lines) {
  Line line;
  for (std::uint64_t skipped = 0; skipped < lines && next(line); ++skipped) {
  }
}

// Reads on to the end of a line that is over the cap, keeping none of it.
void LineScanner::pass_over(Line& line) {
  line = Line{};
  line.number = line_number_++;
  line.byte = base_ + begin_;
  line.too_long = true;
  line.first = buffer_[begin_];
  std::size_t quotes = 0;
  for (;;) {
    const std::size_t found = first_break();
    const std::size_t end = found == kNone ? end_ : found;
    quotes +=
        static_cast<std::size_t>(std::count(buffer_.data() + begin_, buffer_.data() + end, '"'));
    const std::size_t from = begin_ + (line.size == 0 ? 1 : 0);
    line.inner_header =
        line.inner_header || std::find(buffer_.data() + std::min(from, end), buffer_.data() + end,
                                       '>') != buffer_.data() + end;
    line.size += end - begin_;
    begin_ = end;
    const bool half_terminator = found != kNone && buffer_[found] == '\r' && found + 1 == end_;
    if (found != kNone && (!half_terminator || ended_)) {
      begin_ += terminator_size(begin_);
      break;
    }
    if (!refill() && begin_ == end_) {
      break;
    }
  }
  line.odd_quotes = quotes % 2 != 0;
}

std::string_view LineScanner::peek(std::size_t bytes) {
  if (!started_) {
    start();
  }
  while ((end_ - begin_ < bytes || first_break() == kNone) && end_ - begin_ <= max_line_bytes_ &&
         refill()) {
  }
  return {buffer_.data() + begin_, end_ - begin_};
}

void LineScanner::look_from_here() {
  looked_ = begin_;
  looked_line_number_ = line_number_;
  looked_line_feed_ = Finder{'\n'};
  looked_carriage_return_ = Finder{'\r'};
}

Look LineScanner::look(Line& line) {
  for (;;) {
    std::size_t end =
        std::min(find(looked_line_feed_, looked_), find(looked_carriage_return_, looked_));
    const bool whole = end != kNone && (buffer_[end] == '\n' || end + 1 < end_);
    if (whole || ended_) {
      if (!whole && end == kNone) {
        end = end_;
      }
      if (looked_ == end_) {
        return Look::kEnd;
      }
      if (end - begin_ > max_line_bytes_) {
        return Look::kTooFar;
      }
      line = Line{};
      const std::size_t begin = behind_marks(looked_, end);
      line.text = {buffer_.data() + begin, end - begin};
      line.terminator = {buffer_.data() + end, terminator_size(end)};
      line.number = looked_line_number_++;
      line.byte = base_ + begin;
      line.size = line.text.size();
      looked_ = end + line.terminator.size();
      return Look::kLine;
    }
    if (end_ - begin_ > max_line_bytes_ && end == kNone) {
      return Look::kTooFar;
    }
    refill();
  }
}

std::uint64_t LineScanner::stored_bytes_read() const {
  const std::uint64_t stored = source_->stored_bytes_read();
  const std::uint64_t text = base_ + end_;
  return text == 0 ? stored
                   : static_cast<std::uint64_t>(
                         static_cast<double>(stored) *
                         (static_cast<double>(byte()) / static_cast<double>(text)));
}

bool LineScanner::seek(std::uint64_t byte, std::uint64_t line_number) {
  if (!source_->seek(byte)) {
    return false;
  }
  base_ = byte;
  begin_ = end_ = 0;
  line_number_ = line_number;
  ended_ = false;
  started_ = true;
  forget_found();
  return true;
}

}  // namespace longhaul::input
