#include "score/table.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "input/byte_source.hpp"
#include "input/delimited_reader.hpp"
#include "input/line_scanner.hpp"

namespace longhaul::score {
namespace {

constexpr std::uint64_t kMaxLineBytes = 64ULL << 20;
constexpr std::size_t kBlockBytes = 256ULL << 10;

}  // namespace

struct Table::State {
  State(const std::string& path, const std::string& shown)
      : name(shown), lines(input::open_byte_source(path), shown, kMaxLineBytes, kBlockBytes) {}

  // Fills the splitter with the next record's fields; false at the end.
  bool read() {
    input::Line line;
    do {
      if (!lines.next(line)) {
        return false;
      }
    } while (line.size == 0);
    number = line.number;
    refuse_too_long(line);
    if (line.text.find('"') == std::string_view::npos) {
      splitter.split(line.text);
      return true;
    }
    splitter.clear();
    splitter.add(line.text);
    while (splitter.inside_quotes()) {
      splitter.add(line.terminator);
      if (!lines.next(line)) {
        throw Error(ExitCode::kBadData, where() + ": a quote opened here never closes");
      }
      refuse_too_long(line);
      splitter.add(line.text);
    }
    splitter.finish();
    if (splitter.text_after_quote()) {
      throw Error(ExitCode::kBadData, where() + ": there is text after a closing quote",
                  "double the quotes inside fields");
    }
    return true;
  }

  void refuse_too_long(const input::Line& line) const {
    if (line.too_long) {
      throw Error(ExitCode::kBadData,
                  where() + ": a line longer than " + format_bytes(kMaxLineBytes));
    }
  }

  std::string where() const { return name + ", line " + std::to_string(number); }

  std::string name;
  input::LineScanner lines;
  input::FieldSplitter splitter{','};
  std::vector<std::string> columns;
  std::uint64_t number = 0;
};

Table::Table(const std::string& path)
    : state_(std::make_unique<State>(path, path == "-" ? "standard input" : printable(path, 400))) {
  input::Line line;
  while (state_->lines.peek(1).starts_with('#')) {
    state_->lines.next(line);
  }
  if (!state_->read()) {
    throw Error(ExitCode::kBadData, state_->name + " is empty: no header line",
                "check that it was written completely");
  }
  for (const std::string_view name : state_->splitter.fields()) {
    state_->columns.emplace_back(name);
  }
}

Table::Table(Table&&) noexcept = default;
Table::~Table() = default;

const std::vector<std::string>& Table::columns() const {
  return state_->columns;
}

std::optional<std::size_t> Table::find(std::string_view column) const {
  const auto& columns = state_->columns;
  const auto found = std::find(columns.begin(), columns.end(), column);
  if (found == columns.end()) {
    return std::nullopt;
  }
  if (std::find(found + 1, columns.end(), column) != columns.end()) {
    throw Error(ExitCode::kUsage,
                state_->name + " has two columns named '" + std::string(column) + "'",
                "rename one of them");
  }
  return static_cast<std::size_t>(found - columns.begin());
}

std::size_t Table::require(std::string_view column, std::string_view flag) const {
  const std::optional<std::size_t> found = find(column);
  if (!found) {
    throw Error(ExitCode::kUsage,
                state_->name + " has no column '" + printable(column) + "'; there are " +
                    join(state_->columns, ", "),
                "name one with " + std::string(flag));
  }
  return *found;
}

bool Table::next() {
  if (!state_->read()) {
    return false;
  }
  const std::size_t fields = state_->splitter.fields().size();
  if (fields != state_->columns.size()) {
    throw Error(ExitCode::kBadData,
                where() + ": " + std::to_string(fields) + " fields where the header has " +
                    std::to_string(state_->columns.size()),
                "check the quoting and the separators of that line");
  }
  return true;
}

std::string_view Table::field(std::size_t column) const {
  return state_->splitter.fields()[column];
}

std::string Table::where() const {
  return state_->where();
}

}  // namespace longhaul::score
