// What there is to see in a text input, counted by the rules alone, without the reader's code: line
// by line, by the line where each record begins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace longhaul::input::test {

constexpr std::size_t kCap = 300;  // bytes of a line

using Numbers = std::vector<std::uint64_t>;

// What there is to see. `error`: the input cannot be read on after these.
struct Seen {
  Numbers begin;  // the line of each record, good or bad
  bool error = false;
  std::uint64_t blank_rows = 0;  // left out

  void add(std::size_t line, bool blank) {
    if (blank) {
      ++blank_rows;
    } else {
      begin.push_back(line + 1);
    }
  }
};

struct TextLine {
  std::string text;
  std::size_t end = 0;   // where its text ends
  std::size_t next = 0;  // where the next line begins
  bool too_long() const { return text.size() > kCap; }
};

std::vector<TextLine> lines_of(std::string text);

Seen count_fasta(const std::vector<TextLine>& lines);
Seen count_json(const std::vector<TextLine>& lines);
Seen count_tsv(const std::vector<TextLine>& lines);
Seen count_csv(const std::vector<TextLine>& lines, std::size_t columns);

}  // namespace longhaul::input::test
