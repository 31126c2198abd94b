#include "rules_count.hpp"

#include <algorithm>

namespace longhaul::input::test {
namespace {

constexpr std::size_t kNone = std::string::npos;

// RFC 4180, one character after another. `open` is whether a quote goes on behind the line.
struct Cells {
  std::vector<std::string> cells{""};
  bool open = false;
  bool started = false;       // inside a cell
  bool closed = false;        // inside it, behind its closing quote
  bool broken = false;        // there was text behind a closing quote
  std::size_t opened_at = 0;  // in the line read last
  std::size_t opened = 0;     // quotes, so far

  void read(const std::string& line, char delimiter) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      const char c = line[i];
      if (open) {
        if (c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
          cells.back() += line[++i];
        } else if (c == '"') {
          open = false;
          closed = true;
        } else {
          cells.back() += c;
        }
      } else if (c == delimiter) {
        cells.emplace_back();
        started = closed = false;
      } else if (c == '"' && !started) {
        open = started = true;
        opened_at = i;
        ++opened;
      } else {
        started = true;
        broken = broken || closed;
        cells.back() += c;
      }
    }
  }
};

// One line for itself: a quote left open is a letter.
Cells cells_alone(std::string line, char delimiter) {
  Cells cells;
  cells.read(line, delimiter);
  if (cells.open) {
    line[cells.opened_at] = '!';
    cells = Cells();
    cells.read(line, delimiter);
  }
  return cells;
}

// Not where text stands behind a closing quote: such a row is rejected.
bool blank_row(const Cells& row, std::size_t columns = 3) {
  const auto& cells = row.cells;
  return columns > 1 && !row.broken &&
         std::all_of(cells.begin(), cells.end(), [](const std::string& cell) {
           return cell.find_first_not_of(" \t") == kNone;
         });
}

bool odd_quotes(const std::string& text) {
  return std::count(text.begin(), text.end(), '"') % 2 != 0;
}

// Where the quote that is open behind line `first` closes, as the rule of stray quotes sees it.
struct Span {
  std::size_t last = 0;
  bool closes = false;
  bool stray = false;
  bool ends = false;  // the input does, with the quote still open
};

Span span_of(const std::vector<TextLine>& lines, std::size_t first, std::size_t columns) {
  Span span{first, false, false, true};
  std::size_t whole = 0;
  std::size_t others = 0;
  const auto judge = [&](const TextLine& line) {
    if (!line.text.empty()) {
      ++(cells_alone(line.text, ',').cells.size() == columns ? whole : others);
    }
  };
  Cells cells;
  cells.read(lines[first].too_long() ? "\"" : lines[first].text, ',');
  if (!lines[first].too_long()) {
    judge(lines[first]);
  }
  for (std::size_t i = first + 1; i < lines.size(); ++i) {
    if (lines[i].end - lines[first].next > kCap || (others >= 16 && others > whole)) {
      span.ends = false;
      break;
    }
    span.last = i;
    judge(lines[i]);
    cells.read(lines[i].text, ',');
    if (!cells.open) {
      span.closes = true;
      span.ends = false;
      break;
    }
  }
  span.stray = whole > 0 && whole >= 3 * others;
  return span;
}

}  // namespace

std::vector<TextLine> lines_of(std::string text) {
  std::vector<TextLine> lines;
  std::size_t at = 0;
  while (at < text.size()) {
    while (text.compare(at, 3, "\xef\xbb\xbf") == 0) {
      at += 3;
    }
    if (at == text.size() && lines.empty()) {
      break;
    }
    const std::size_t end = std::min(text.find_first_of("\r\n", at), text.size());
    const bool pair = text.compare(end, 2, "\r\n") == 0;
    const std::size_t next = std::min(end + (pair ? 2 : 1), text.size());
    lines.push_back({text.substr(at, end - at), end, next});
    at = next;
  }
  return lines;
}

Seen count_fasta(const std::vector<TextLine>& lines) {
  Seen seen;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string& text = lines[i].text;
    const std::size_t first = lines[i].too_long() ? 0 : text.find_first_not_of(" \t\v\f");
    const bool comment = !text.empty() && text[0] == ';';
    if (first == kNone || (comment && text.find('>') == kNone)) {
      continue;
    }
    const bool header = text[first] == '>' || comment;
    if (!header && seen.begin.empty()) {
      seen.error = true;
      return seen;
    }
    if (header || text.find('>', 1) != kNone) {
      seen.begin.push_back(i + 1);
    }
  }
  return seen;
}

Seen count_json(const std::vector<TextLine>& lines) {
  Seen seen;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].too_long() || lines[i].text.find_first_not_of(" \t") != kNone) {
      seen.begin.push_back(i + 1);
    }
  }
  return seen;
}

Seen count_tsv(const std::vector<TextLine>& lines) {
  Seen seen;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].text.empty()) {
      continue;
    }
    seen.add(i, !lines[i].too_long() && blank_row(cells_alone(lines[i].text, '\t')));
  }
  return seen;
}

Seen count_csv(const std::vector<TextLine>& lines, std::size_t columns) {
  Seen seen;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const TextLine& line = lines[i];
    if (line.text.empty()) {
      continue;
    }
    Cells cells;
    cells.read(line.text, ',');
    const bool goes_on = line.too_long() ? odd_quotes(line.text) : cells.open;
    if (!goes_on) {
      seen.add(i, !line.too_long() && blank_row(cells, columns));
      continue;
    }
    const Span span = span_of(lines, i, columns);
    seen.begin.push_back(i + 1);
    if (span.stray) {
      Cells quotes;
      quotes.read(line.too_long() ? "\"" : line.text, ',');
      for (std::size_t inner = i + 1; span.closes && inner <= span.last; ++inner) {
        const std::string& text = lines[inner].text;
        const std::size_t opened = quotes.opened;
        quotes.read(text, ',');
        // A line where a quote opens or closes is rejected, blank or not.
        const bool quoted = inner == span.last || quotes.opened != opened;
        if (!text.empty()) {
          seen.add(inner, !quoted && blank_row(cells_alone(text, ','), columns));
        }
      }
      i = span.closes ? span.last : i;
      continue;
    }
    if (span.ends) {
      break;  // its last lines are one record
    }
    // One cell over lines, to where its quote closes.
    Cells over;
    over.read(line.too_long() ? "\"" : line.text, ',');
    while (over.open && ++i < lines.size()) {
      if (!lines[i].too_long()) {
        over.read(lines[i].text, ',');
      } else if (odd_quotes(lines[i].text)) {
        over.read("\"", ',');
      }
    }
    if (over.open) {
      seen.begin.pop_back();
      seen.error = true;
      return seen;
    }
  }
  return seen;
}

}  // namespace longhaul::input::test
