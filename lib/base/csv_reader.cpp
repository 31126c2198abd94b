#include "base/csv_reader.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.hpp"

namespace longhaul {

CsvReader::CsvReader(std::unique_ptr<CsvLines> lines, std::string name, std::string remedy)
    : lines_(std::move(lines)), name_(std::move(name)), remedy_(std::move(remedy)) {
  if (!next_of_any_width()) {
    throw Error(ExitCode::kBadData, name_ + " is empty: no header line",
                remedy_or("check that it was written completely"));
  }
  columns_.assign(fields().begin(), fields().end());
}

std::string CsvReader::remedy_or(std::string_view usual) const {
  return remedy_.empty() ? std::string(usual) : remedy_;
}

std::string CsvReader::where() const {
  return name_ + ", line " + std::to_string(line_);
}

std::optional<std::size_t> CsvReader::find(std::string_view column) const {
  const auto found = std::find(columns_.begin(), columns_.end(), column);
  if (found == columns_.end()) {
    return std::nullopt;
  }
  if (std::find(found + 1, columns_.end(), column) != columns_.end()) {
    throw Error(ExitCode::kUsage, name_ + " has two columns named '" + std::string(column) + "'",
                "rename one of them");
  }
  return static_cast<std::size_t>(found - columns_.begin());
}

bool CsvReader::next_of_any_width() {
  CsvLine line;
  do {
    if (!lines_->next(line)) {
      return false;
    }
  } while (line.text.empty());
  line_ = line.number;
  if (std::memchr(line.text.data(), '"', line.text.size()) == nullptr) {
    splitter_.split(line.text);
    return true;
  }
  splitter_.clear();
  splitter_.add(line.text);
  while (splitter_.inside_quotes()) {
    splitter_.add(line.terminator);
    if (!lines_->next(line)) {
      throw Error(ExitCode::kBadData, where() + ": a quote opened here never closes",
                  remedy_or("close or double that quote"));
    }
    splitter_.add(line.text);
  }
  splitter_.finish();
  if (splitter_.text_after_quote()) {
    throw Error(ExitCode::kBadData, where() + ": there is text after a closing quote",
                remedy_or("double the quotes inside fields"));
  }
  return true;
}

bool CsvReader::next() {
  if (!next_of_any_width()) {
    return false;
  }
  if (fields().size() != columns_.size()) {
    throw Error(ExitCode::kBadData,
                where() + ": " + std::to_string(fields().size()) + " fields where the header has " +
                    std::to_string(columns_.size()),
                remedy_or("check the quoting and the separators of that line"));
  }
  return true;
}

}  // namespace longhaul
