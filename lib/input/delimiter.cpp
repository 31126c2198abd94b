#include "input/delimiter.hpp"

#include <algorithm>
#include <vector>

#include "base/error.hpp"
#include "base/field_splitter.hpp"
#include "base/text.hpp"
#include "input/columns.hpp"

namespace longhaul::input {
namespace {

constexpr std::string_view kDelimiters = ",;\t|";
// A header is a line of names: what is longer is none, and is not split four times to see so.
constexpr std::size_t kLongestHeader = 1U << 20;

std::vector<std::string> names_of(std::string_view line, char delimiter) {
  FieldSplitter splitter(delimiter);
  splitter.split_alone(line);
  return {splitter.fields().begin(), splitter.fields().end()};
}

// Those under which the line has a column of sequences.
std::vector<char> candidates(std::string_view line, const SourceSettings& settings) {
  std::vector<char> found;
  if (line.size() <= kLongestHeader) {
    for (const char delimiter : kDelimiters) {
      if (has_sequence_column(names_of(line, delimiter), settings)) {
        found.push_back(delimiter);
      }
    }
  }
  return found;
}

char usual(const SourceSettings& settings) {
  return settings.format == InputFormat::kTsv ? '\t' : ',';
}

}  // namespace

std::string name_of_delimiter(char delimiter) {
  switch (delimiter) {
    case ',':
      return "a comma";
    case ';':
      return "a semicolon";
    case '\t':
      return "a tab";
    case '|':
      return "a bar";
    default:
      return "'" + printable(std::string_view(&delimiter, 1)) + "'";
  }
}

std::optional<char> delimiter_of_sep_line(std::string_view line) {
  if (line.size() > 2 && line.front() == '"' && line.back() == '"') {
    line = line.substr(1, line.size() - 2);
  }
  constexpr std::string_view kPrefix = "sep=";
  if (line.size() != kPrefix.size() + 1 || to_lower(line.substr(0, kPrefix.size())) != kPrefix) {
    return std::nullopt;
  }
  return line.back();
}

char delimiter_of_header(std::string_view line, const SourceSettings& settings) {
  const std::vector<char> found = candidates(line, settings);
  const char own = usual(settings);
  if (found.size() == 1) {
    return found.front();
  }
  if (!found.empty()) {
    if (std::find(found.begin(), found.end(), own) != found.end()) {
      return own;
    }
    throw Error(ExitCode::kUsage,
                printable(settings.name, 400) + ": its header line can be separated by " +
                    name_of_delimiter(found[0]) + " or by " + name_of_delimiter(found[1]),
                "say which with --delimiter");
  }
  if (line.find(own) != std::string_view::npos || line.size() > kLongestHeader) {
    return own;
  }
  return *std::max_element(kDelimiters.begin(), kDelimiters.end(), [&](char a, char b) {
    const auto times = [&](char c) { return std::count(line.begin(), line.end(), c); };
    return times(a) < times(b) || (times(a) == times(b) && b == own);
  });
}

std::optional<char> delimiter_of_table(std::string_view line, const SourceSettings& settings) {
  const std::vector<char> found = candidates(line, settings);
  // The only column, whatever separates.
  if (found.size() == kDelimiters.size() &&
      line.find_first_of(kDelimiters) == std::string_view::npos) {
    return ',';
  }
  return found.size() == 1 ? std::optional(found.front()) : std::nullopt;
}

}  // namespace longhaul::input
