#include "terminal_text.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "base/text.hpp"

namespace longhaul::app {
namespace {

constexpr std::size_t kLeastColumns = 40;
constexpr std::size_t kMostColumns = 160;  // longer lines are hard to read
constexpr std::size_t kNameWidth = 14;
constexpr std::size_t kGap = 2;  // between the columns of a table

void append_block(const std::vector<std::vector<std::string>>& rows,
                  const std::vector<std::size_t>& widths, std::size_t first, std::size_t end,
                  std::string& out) {
  for (const std::vector<std::string>& row : rows) {
    std::string line = row.front();
    line.resize(widths.front(), ' ');
    for (std::size_t i = first; i < end; ++i) {
      const std::string cell = i < row.size() ? row[i] : "";
      line.append(kGap + widths[i] - cell.size(), ' ');
      line += cell;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
}

}  // namespace

std::size_t stdout_columns(const std::map<std::string, std::string>& environment) {
  std::size_t columns = 80;
  const auto set = environment.find("COLUMNS");
  const std::optional<std::uint64_t> asked =
      set == environment.end() ? std::nullopt : parse_count(set->second);
  winsize size{};
  if (asked && *asked > 0) {
    columns = *asked;
  } else if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    columns = size.ws_col;
  }
  return std::clamp(columns, kLeastColumns, kMostColumns);
}

std::string filled(const std::string& text, std::size_t columns, std::size_t indent,
                   std::size_t taken) {
  std::string out;
  std::size_t at = taken;
  std::istringstream lines(text);
  bool first_line = true;
  for (std::string line; std::getline(lines, line);) {
    if (!first_line) {
      out += '\n' + std::string(line.empty() ? 0 : indent, ' ');
      at = indent;
    }
    first_line = false;
    std::istringstream words(line);
    bool first_word = true;
    for (std::string word; words >> word;) {
      if (!first_word && at + 1 + word.size() > columns) {
        out += '\n' + std::string(indent, ' ');
        at = indent;
        first_word = true;
      }
      out += (first_word ? "" : " ") + word;
      at += word.size() + (first_word ? 0 : 1);
      first_word = false;
    }
  }
  return out;
}

std::string named_line(const std::string& name, const std::string& value, std::size_t columns) {
  const std::size_t width = std::max(name.size() + 1, kNameWidth);
  return name + std::string(width - name.size(), ' ') + filled(value, columns, kNameWidth, width) +
         '\n';
}

std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t columns) {
  std::vector<std::size_t> widths;
  for (const std::vector<std::string>& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string out;
  for (std::size_t first = 1; first < widths.size();) {
    std::size_t end = first;
    std::size_t used = widths.front();
    while (end < widths.size() && (end == first || used + kGap + widths[end] <= columns)) {
      used += kGap + widths[end++];
    }
    out += out.empty() ? "" : "\n";
    append_block(rows, widths, first, end, out);
    first = end;
  }
  return out;
}

std::string in_words(const nlohmann::json& value) {
  if (value.is_string()) {
    return value.get<std::string>();
  }
  if (value.is_null()) {
    return "-";
  }
  if (!value.is_structured()) {
    return value.dump();
  }
  std::vector<std::string> parts;
  for (const auto& [name, part] : value.items()) {
    const std::string text =
        part.is_structured() && !part.empty() ? "(" + in_words(part) + ")" : in_words(part);
    parts.push_back(value.is_object() ? name + " " + text : text);
  }
  return parts.empty() ? "none" : join(parts, ", ");
}

}  // namespace longhaul::app
