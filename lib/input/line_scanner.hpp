// Lines of a text source, by large blocks, with their number and byte. A line ends with LF, CRLF
// or a lone CR, or where the source ends; byte order marks at its beginning are left out, since
// files that have one are joined. Memory is one block and the longest line, up to the cap; a longer
// line is passed over. One thread at a time. Error(kBadData) where the source is not text,
// Error(kIo) from the source.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "input/block_buffer.hpp"
#include "input/byte_source.hpp"
#include "input/line_breaks.hpp"

namespace longhaul::input {

struct Line {
  std::string_view text;        // valid until the next call
  std::string_view terminator;  // "\n", "\r\n", "\r" or nothing at the very end
  std::uint64_t number = 0;     // from 1
  std::uint64_t byte = 0;       // of its first character in the (decompressed) source
  std::uint64_t size = 0;       // of the text; more than text.size() when it is too long
  bool too_long = false;        // over the cap: text is empty
  char first = '\0';            // of a line too long: its first character
  bool odd_quotes = false;      // of a line too long: whether it holds an odd number of '"'
  bool inner_header = false;    // of a line too long: whether a '>' stands behind its first one
};

// Error(kBadData) for what is certainly no text, by its first bytes: what it is, and what to do.
void check_is_text(std::string_view head, const std::string& name, bool list_of_paths = false);

// What look() found: a line, the end, or that the line ends more than the cap ahead.
enum class Look { kLine, kEnd, kTooFar };

class LineScanner {
 public:
  LineScanner(std::unique_ptr<ByteSource> source, std::string name, std::uint64_t max_line_bytes,
              std::size_t block_bytes, bool list_of_paths = false);

  // False at the end. A line that goes on with a record from the line before is given as it is.
  bool next(Line& line, bool goes_on = false);
  void skip(std::uint64_t lines);
  // The text ahead, not consumed: at least `bytes` of it and at least one whole line, or all
  // there is, or a line cut at the cap. Valid until the next call.
  std::string_view peek(std::size_t bytes);

  // The lines that come, one after another, consuming none: after look_from_here() the one that
  // next() would give, then the one behind it. Valid until the next call. After next() it takes
  // look_from_here() again.
  void look_from_here();
  Look look(Line& line);

  // Where the next line begins.
  std::uint64_t byte() const { return here_.byte; }
  std::uint64_t line_number() const { return here_.line_number; }
  bool seek(std::uint64_t byte, std::uint64_t line_number);

  const std::string& name() const { return name_; }
  // Of the file as it is stored, up to byte(): what is read ahead counts for nothing. In a
  // compressed file that is judged by the share of the text.
  std::uint64_t stored_bytes_read() const;

 private:
  // Where someone stands who goes from line to line.
  struct Place {
    std::uint64_t byte = 0;
    std::uint64_t line_number = 1;
    LineBreaks breaks;  // from here on
  };

  std::uint64_t first_break() { return here_.breaks.first(bytes_, here_.byte); }
  bool refill() { return bytes_.refill(here_.byte); }
  std::uint64_t bytes_ahead() const { return bytes_.end() - here_.byte; }
  std::uint64_t behind_marks(std::uint64_t at, std::uint64_t end) const;
  void emit(Line& line, std::uint64_t end);
  std::size_t terminator_size(std::uint64_t end) const;
  void pass_over(Line& line);
  void start();

  BlockBuffer bytes_;
  std::string name_;
  std::uint64_t max_line_bytes_;
  bool list_of_paths_;  // for what there is to do where it is no text
  Place here_;          // where next() goes on
  Place ahead_;         // where look() does
  bool started_ = false;
};

}  // namespace longhaul::input
