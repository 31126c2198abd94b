#include "input/open_quote.hpp"

namespace longhaul::input {
namespace {

// Lines that do not read like records, after which a quote is not looked through to its end.
constexpr std::uint64_t kUnlikeRecords = 16;

}  // namespace

void OpenQuote::meet(const Line& first, LineScanner& lines, std::optional<std::size_t> fields) {
  line_ = first.too_long ? std::string_view("\"") : first.text;
  line_end_ = first.terminator;
  judged_ = Judgement{};
  judged_.first_line = judged_.last_line = first.number;
  if (fields) {
    look(lines, *fields, !first.too_long);
  }
}

void OpenQuote::look(LineScanner& lines, std::size_t fields, bool first_counts) {
  std::uint64_t others = 0;
  const auto count = [&](std::string_view line) {
    alone_.split_alone(line);
    ++(alone_.fields().size() == fields ? judged_.whole : others);
  };
  if (first_counts) {
    count(line_);
  }
  start();
  lines.look_from_here();
  Line line;
  Look looked = lines.look(line);
  for (; looked == Look::kLine; looked = lines.look(line)) {
    judged_.last_line = line.number;
    if (line.size > 0) {
      count(line.text);
    }
    add(line.text);
    if (!quotes_.inside_quotes()) {
      judged_.closes = true;
      break;
    }
    if (others >= kUnlikeRecords && others > judged_.whole) {
      break;
    }
  }
  alone_.forget();
  judged_.cut_off = looked == Look::kEnd;
  judged_.stray = judged_.whole > 0 && judged_.whole >= 3 * others;
}

void OpenQuote::start() {
  quotes_.clear();
  add(line_);
}

bool OpenQuote::opens_in(std::string_view line) {
  const std::uint64_t opened = quotes_.quotes_opened();
  add(line);
  return quotes_.quotes_opened() != opened;
}

void OpenQuote::add(std::string_view line) {
  quotes_.add(line);
  quotes_.forget();
}

}  // namespace longhaul::input
