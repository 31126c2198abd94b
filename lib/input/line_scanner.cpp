#include "input/line_scanner.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::input {
namespace {

constexpr std::size_t kSniffedBytes = std::size_t{64} * 1024;
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
    : bytes_(std::move(source), block_bytes, max_line_bytes),
      name_(std::move(name)),
      max_line_bytes_(max_line_bytes),
      list_of_paths_(list_of_paths) {}

void LineScanner::start() {
  started_ = true;
  const std::uint64_t wanted = std::clamp<std::uint64_t>(bytes_.block_bytes(), 4, kSniffedBytes);
  while (bytes_.end() < wanted && refill()) {
  }
  // As far as was wanted, however much came: the same for a file and a pipe.
  check_is_text(bytes_.text(0, std::min(bytes_.end(), wanted)), name_, list_of_paths_);
  here_.byte = behind_marks(0, bytes_.end());
}

// Where the text at `at` begins.
std::uint64_t LineScanner::behind_marks(std::uint64_t at, std::uint64_t end) const {
  while (starts_with(bytes_.text(at, end), kMark)) {
    at += kMark.size();
  }
  return at;
}

std::size_t LineScanner::terminator_size(std::uint64_t end) const {
  if (end >= bytes_.end()) {
    return 0;
  }
  return bytes_.at(end) == '\r' && end + 1 < bytes_.end() && bytes_.at(end + 1) == '\n' ? 2 : 1;
}

void LineScanner::emit(Line& line, std::uint64_t end) {
  const std::size_t terminator = terminator_size(end);
  line.text = bytes_.text(here_.byte, end);
  line.terminator = bytes_.text(end, end + terminator);
  line.number = here_.line_number++;
  line.byte = here_.byte;
  line.size = line.text.size();
  line.too_long = line.size > max_line_bytes_;
  line.odd_quotes = line.inner_header = false;
  if (line.too_long) {
    line.first = line.text.front();
    line.odd_quotes = std::count(line.text.begin(), line.text.end(), '"') % 2 != 0;
    line.inner_header = line.text.find('>', 1) != std::string_view::npos;
    line.text = {};
  }
  here_.byte = end + terminator;
}

bool LineScanner::next(Line& line, bool goes_on) {
  if (!started_) {
    start();
  }
  for (;;) {
    const std::uint64_t end = first_break();
    const std::uint64_t begin =
        goes_on ? here_.byte : behind_marks(here_.byte, std::min(end, bytes_.end()));
    if (end != LineBreaks::kNone) {
      // A CR that is the last byte read may be half of a CRLF.
      if (bytes_.at(end) == '\n' || end + 1 < bytes_.end() || bytes_.ended()) {
        here_.byte = begin;
        emit(line, end);
        return true;
      }
    } else if (bytes_.ended()) {
      if (bytes_ahead() == 0) {
        return false;
      }
      here_.byte = begin;
      emit(line, bytes_.end());
      return true;
    } else if (bytes_.end() - begin > max_line_bytes_) {
      here_.byte = begin;
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
  line.number = here_.line_number++;
  line.byte = here_.byte;
  line.too_long = true;
  line.first = bytes_.at(here_.byte);
  std::size_t quotes = 0;
  for (;;) {
    const std::uint64_t found = first_break();
    const std::uint64_t end = found == LineBreaks::kNone ? bytes_.end() : found;
    const std::string_view piece = bytes_.text(here_.byte, end);
    quotes += static_cast<std::size_t>(std::count(piece.begin(), piece.end(), '"'));
    line.inner_header =
        line.inner_header || piece.find('>', line.size == 0 ? 1 : 0) != std::string_view::npos;
    line.size += piece.size();
    here_.byte = end;
    const bool half_terminator =
        found != LineBreaks::kNone && bytes_.at(found) == '\r' && found + 1 == bytes_.end();
    if (found != LineBreaks::kNone && (!half_terminator || bytes_.ended())) {
      here_.byte += terminator_size(here_.byte);
      break;
    }
    if (!refill() && bytes_ahead() == 0) {
      break;
    }
  }
  line.odd_quotes = quotes % 2 != 0;
}

std::string_view LineScanner::peek(std::size_t bytes) {
  if (!started_) {
    start();
  }
  while ((bytes_ahead() < bytes || first_break() == LineBreaks::kNone) &&
         bytes_ahead() <= max_line_bytes_ && refill()) {
  }
  return bytes_.text(here_.byte, bytes_.end());
}

void LineScanner::look_from_here() {
  ahead_ = here_;
}

Look LineScanner::look(Line& line) {
  for (;;) {
    std::uint64_t end = ahead_.breaks.first(bytes_, ahead_.byte);
    const bool whole =
        end != LineBreaks::kNone && (bytes_.at(end) == '\n' || end + 1 < bytes_.end());
    if (whole || bytes_.ended()) {
      if (end == LineBreaks::kNone) {
        end = bytes_.end();
      }
      if (ahead_.byte == bytes_.end()) {
        return Look::kEnd;
      }
      if (end - here_.byte > max_line_bytes_) {
        return Look::kTooFar;
      }
      line = Line{};
      line.byte = behind_marks(ahead_.byte, end);
      line.text = bytes_.text(line.byte, end);
      line.terminator = bytes_.text(end, end + terminator_size(end));
      line.number = ahead_.line_number++;
      line.size = line.text.size();
      ahead_.byte = end + line.terminator.size();
      return Look::kLine;
    }
    if (bytes_ahead() > max_line_bytes_ && end == LineBreaks::kNone) {
      return Look::kTooFar;
    }
    refill();
  }
}

std::uint64_t LineScanner::stored_bytes_read() const {
  const std::uint64_t stored = bytes_.stored_bytes_read();
  const std::uint64_t text = bytes_.end();
  return text == 0 ? stored
                   : static_cast<std::uint64_t>(
                         static_cast<double>(stored) *
                         (static_cast<double>(byte()) / static_cast<double>(text)));
}

bool LineScanner::seek(std::uint64_t byte, std::uint64_t line_number) {
  if (!bytes_.seek(byte)) {
    return false;
  }
  here_ = Place{byte, line_number, {}};
  started_ = true;
  return true;
}

}  // namespace longhaul::input
