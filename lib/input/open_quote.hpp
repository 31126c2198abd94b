// A quote that opens in a line of a table and does not close there: that line, and what the lines
// look like that it goes over, by which it is told whether it was meant as one.
// One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/field_splitter.hpp"
#include "input/line_scanner.hpp"

namespace longhaul::input {

class OpenQuote {
 public:
  // What the lines that it goes over look like.
  struct Judgement {
    bool stray = false;
    bool closes = false;
    bool cut_off = false;  // the input ends soon, with the quote still open
    std::uint64_t first_line = 0;
    std::uint64_t last_line = 0;  // where it closes, or as far as was looked
    std::uint64_t whole = 0;      // lines that are records by themselves
  };

  explicit OpenQuote(char delimiter) : quotes_(delimiter), alone_(delimiter) {}

  // The next one: it opens in `first`, the line that was read last. Looks at the lines ahead, of
  // which a record has `fields`; at none where that is not known.
  void meet(const Line& first, LineScanner& lines, std::optional<std::size_t> fields);

  const Judgement& judged() const { return judged_; }
  // The line that it opens in: of one too long nothing is kept but that a quote is open.
  const std::string& line() const { return line_; }
  const std::string& line_end() const { return line_end_; }

  // For the lines behind, which are taken one by one after start(): whether a quote opens in it.
  void start();
  bool opens_in(std::string_view line);

 private:
  void look(LineScanner& lines, std::size_t fields, bool first_counts);
  void add(std::string_view line);

  std::string line_;
  std::string line_end_;
  Judgement judged_;
  FieldSplitter quotes_;  // where quotes stand, over all lines
  FieldSplitter alone_;   // a line for itself
};

}  // namespace longhaul::input
