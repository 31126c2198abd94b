// Damaged inputs of every text format: what the reader sees (records, rejects, rows left out) is
// what a count sees that is written here by the rules alone, without the reader's code: line by
// line, by the line where each begins.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

#include "fakes/sanitized.hpp"
#include "input_helpers.hpp"

using namespace longhaul;
using namespace longhaul::input;
using namespace longhaul::input::test;

namespace {

constexpr std::size_t kCap = 300;  // bytes of a line
constexpr std::size_t kNone = std::string::npos;

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

struct Format {
  InputFormat format;
  std::string first;  // stays as it is
  std::string rest;
  Seen (*count)(const std::vector<TextLine>&);
};

const std::vector<Format> kFormats = {
    {InputFormat::kCsv, "id,note,sequence\n",
     "a,x,MK\nb,\"y, z\",LV\r\nc,,GG\n,,\nd,\"p\nq\",WW\ne,5 in,MM\n\nf,x,KK\ng,x,LL\nh,x,AA\n",
     [](const std::vector<TextLine>& lines) { return count_csv(lines, 3); }},
    {InputFormat::kCsv, "sequence\n", "MK\nLV\r\n\"GG\"\n\nWW\nMM\n",
     [](const std::vector<TextLine>& lines) { return count_csv(lines, 1); }},
    {InputFormat::kTsv, "id\tnote\tsequence\n",
     "a\tx\tMK\nb\t\"y\tz\"\tLV\r\nc\t\tGG\n\t\t\nd\t5\"\tWW\n\ne\tx\tMM\nf\tx\tKK\n", count_tsv},
    {InputFormat::kFasta, ">first\n",
     "MK\n>a x y\nMKLV\nEV QL\r\n;note\n\n>b\n  1 GGWW\n>c\nLV*\n>d\nMM", count_fasta},
    {InputFormat::kJsonLines, "{\"id\": \"z\", \"sequence\": \"MK\"}\n",
     "{\"id\": \"a\", \"sequence\": \"LV\"}\n\n{\"id\": 2, \"sequence\": null}\r\n"
     "{\"id\": \"c\", \"x\": [1, {}]}\n{\"sequence\": \"GG\"}",
     count_json},
};

const std::string kSpice[] = {"\"",
                              "\"",
                              "\n",
                              "\r",
                              "\r\n",
                              ">",
                              ",",
                              "\t",
                              "\n\n",
                              "\n,,\n",
                              "\n\t\t\n",
                              "\"\"",
                              ";",
                              "\n>",
                              "\xef\xbb\xbf",
                              "\n \n",
                              "\"\n",
                              "\xff",
                              std::string(1, '\0'),
                              "{"};

class Mutator {
 public:
  explicit Mutator(std::uint32_t seed) : random_(seed) {}
  std::string mutated(std::string text) {
    for (std::size_t change = 1 + below(4); change > 0; --change) {
      const std::size_t at = below(text.size() + 1);
      switch (below(8)) {
        case 0:
          text.erase(at, below(6));
          break;
        case 1:
          text.insert(at, text.substr(below(text.size() + 1), below(25)));
          break;
        case 2:
          text.resize(at);
          break;
        case 3:
          if (below(4) == 0) {
            text.insert(at, std::string(kCap + below(50), 'M'));
          }
          break;
        case 4:
          while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
            text.pop_back();
          }
          break;
        default:
          text.insert(at, kSpice[below(std::size(kSpice))]);
      }
    }
    return text;
  }
  std::size_t below(std::size_t n) { return random_() % n; }

 private:
  std::mt19937 random_;
};

Seen read_by(const Format& format, const std::string& text, std::size_t block,
             std::uint64_t& defects) {
  SourceSettings settings;
  settings.name = "x";
  settings.format = format.format;
  settings.max_line_bytes = kCap;
  settings.block_bytes = block;
  settings.delimiter = format.format == InputFormat::kCsv   ? std::optional(',')
                       : format.format == InputFormat::kTsv ? std::optional('\t')
                                                            : std::nullopt;
  if (format.format != InputFormat::kFasta) {
    settings.sequence_column = "sequence";
  }
  Seen seen;
  seen.error = thrown_by([&] {
                 auto bytes = std::make_unique<MemorySource>(text);
                 auto reader = format.format == InputFormat::kFasta
                                   ? open_fasta(std::move(bytes), settings)
                               : format.format == InputFormat::kJsonLines
                                   ? open_json_lines(std::move(bytes), settings)
                                   : open_delimited(std::move(bytes), settings);
                 for (Record record; reader->next(record); record = Record{}) {
                   seen.begin.push_back(record.line);
                   defects += record.defect ? 1U : 0U;
                 }
                 seen.blank_rows = reader->left_out().total();
               }).code != 0;
  return seen;
}

}  // namespace

TEST_CASE("of damaged inputs every record is seen, where a count by the rules sees it") {
  const std::size_t rounds = (std::getenv("LONGHAUL_LONG") != nullptr ? 4000 : 400) / fakes::kEach;
  std::uint64_t defects = 0;
  std::uint64_t errors = 0;
  std::uint64_t records = 0;
  std::uint64_t blank_rows = 0;
  for (std::size_t number = 0; number < kFormats.size(); ++number) {
    const Format& format = kFormats[number];
    Mutator mutator(static_cast<std::uint32_t>(20261127 + number));
    for (std::size_t round = 0; round < rounds; ++round) {
      const std::string text = format.first + mutator.mutated(format.rest);
      CAPTURE(number, round, text);
      Seen expected = format.count(lines_of(text));
      if (text.find('\0') != kNone) {
        expected = {{}, true, 0};  // no text at all
      }
      const Seen seen = read_by(format, text, 1U << 16, defects);
      REQUIRE(seen.error == expected.error);
      REQUIRE(seen.begin == expected.begin);
      if (!expected.error) {
        REQUIRE(seen.blank_rows == expected.blank_rows);
        blank_rows += seen.blank_rows;
      }
      if (text.find('\0') == kNone && format.format != InputFormat::kJsonLines) {
        std::uint64_t ignored = 0;
        REQUIRE(read_by(format, text, 1 + mutator.below(60), ignored).begin == expected.begin);
      }
      errors += expected.error ? 1U : 0U;
      records += seen.begin.size();
    }
  }
  CHECK(records > 3 * rounds * kFormats.size());
  CHECK(defects > rounds);
  CHECK(blank_rows > rounds);
  CHECK(errors > rounds / 20);
}
