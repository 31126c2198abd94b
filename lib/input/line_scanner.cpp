#include "input/line_scanner.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul {
namespace {

constexpr std::size_t kSniffedBytes = 64 * 1024;
constexpr std::string_view kMark = "\xef\xbb\xbf";

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// Refuses what is certainly no text, by the names of what people feed by mistake.
void check_is_text(std::string_view head, const std::string& name) {
  const struct {
    std::string_view magic, what, remedy;
  } known[] = {
      {"\x1f\x8b", "is compressed with gzip", "decompress it first"},
      {"\x28\xb5\x2f\xfd", "is compressed with Zstandard", "decompress it first"},
      {"PAR1", "is a Parquet file", "use --format parquet"},
      {"PK\x03\x04", "is a zip archive or a spreadsheet",
       "unzip it, or save the spreadsheet as CSV"},
      {"7z\xbc\xaf\x27\x1c", "is a 7z archive", "unpack it first"},
      {"\xff\xfe", "is UTF-16 text", "convert it to UTF-8"},
      {"\xfe\xff", "is UTF-16 text", "convert it to UTF-8"},
  };
  for (const auto& kind : known) {
    if (starts_with(head, kind.magic)) {
      throw Error(ExitCode::kBadData,
                  printable(name, 400) + ", byte 0: " + std::string(kind.what) +
                      ", not the text it was to be",
                  std::string(kind.remedy));
    }
  }
  const std::size_t zero = head.find('\0');
  if (zero != std::string_view::npos) {
    const auto line =
        std::count(head.begin(), head.begin() + static_cast<std::ptrdiff_t>(zero), '\n');
    throw Error(ExitCode::kBadData,
                printable(name, 400) + " is binary, not text: byte " + std::to_string(zero) +
                    " (line " + std::to_string(line + 1) + ") is zero",
                "check that it is the right file, or name its format with --format");
  }
}

}  // namespace

LineScanner::LineScanner(std::unique_ptr<ByteSource> source, std::string name,
                         std::uint64_t max_line_bytes, std::size_t block_bytes)
    : source_(std::move(source)),
      name_(std::move(name)),
      max_line_bytes_(max_line_bytes),
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
  const std::string_view head(buffer_.data(), std::min(end_, kSniffedBytes));
  check_is_text(head, name_);
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

}  // namespace longhaul
