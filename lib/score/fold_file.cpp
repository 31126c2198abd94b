#include "score/fold_file.hpp"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "score/table.hpp"

namespace longhaul::score {
namespace {

constexpr std::uint32_t kMaxFolds = 100'000;

// Which row a line of the file speaks of.
class RowFinder {
 public:
  RowFinder(const CsvReader& table, const RunDirectory& run)
      : run_(run), column_(table.find("row")) {
    if (column_) {
      return;
    }
    by_id_ = true;
    column_ = require_column(table, "id", "the columns row and fold, or id and fold");
    for (std::size_t row = 0; row < run.rows(); ++row) {
      const auto [entry, is_new] = rows_.try_emplace(run.id(row), row);
      if (!is_new) {
        throw Error(ExitCode::kBadData,
                    "id " + printable(run.id(row)) + " stands in rows " +
                        std::to_string(entry->second) + " and " + std::to_string(row) +
                        ": folds cannot be joined by id",
                    "give the folds by row");
      }
    }
  }

  std::size_t find(const CsvReader& table) const {
    const std::string text(table.field(*column_));
    if (by_id_) {
      const auto found = rows_.find(text);
      if (found != rows_.end()) {
        return found->second;
      }
    } else if (const auto row = parse_count(text); row && *row < run_.rows()) {
      return *row;
    }
    throw Error(ExitCode::kBadData,
                table.where() + ": " + run_.path() + " has no record " + printable(text),
                "give the folds of this run");
  }

 private:
  const RunDirectory& run_;
  std::optional<std::size_t> column_;
  bool by_id_ = false;
  std::unordered_map<std::string, std::size_t> rows_;
};

}  // namespace

std::vector<std::uint32_t> read_folds(const std::string& path, const RunDirectory& run,
                                      std::span<const std::size_t> rows) {
  CsvReader table = open_table(path);
  const RowFinder finder(table, run);
  const std::size_t fold_at =
      require_column(table, "fold", "the columns row and fold, or id and fold");
  std::vector<std::optional<std::uint32_t>> of_row(run.rows());
  while (table.next()) {
    const auto fold = parse_count(table.field(fold_at));
    if (!fold || *fold >= kMaxFolds) {
      throw Error(ExitCode::kBadData, table.where() + ": fold '" + printable(table.field(fold_at)) +
                                          "' is not a number from 0");
    }
    const std::size_t row = finder.find(table);
    if (of_row[row]) {
      throw Error(ExitCode::kBadData,
                  table.where() + ": " + printable(run.id(row)) + " was given a fold before");
    }
    of_row[row] = static_cast<std::uint32_t>(*fold);
  }
  std::vector<std::uint32_t> folds;
  std::uint32_t count = 0;
  for (const std::size_t row : rows) {
    if (!of_row[row]) {
      throw Error(ExitCode::kBadData,
                  path + " gives no fold for " + printable(run.id(row)) + " (row " +
                      std::to_string(row) + ")",
                  "list every record that has a vector and a label");
    }
    folds.push_back(*of_row[row]);
    count = std::max(count, folds.back() + 1);
  }
  std::vector<bool> used(count);
  for (const std::uint32_t fold : folds) {
    used[fold] = true;
  }
  const auto empty = std::find(used.begin(), used.end(), false);
  if (empty != used.end() || count < 2) {
    throw Error(ExitCode::kBadData,
                path + (count < 2 ? " has fewer than two folds"
                                  : " leaves fold " + std::to_string(empty - used.begin()) +
                                        " without a record"));
  }
  return folds;
}

}  // namespace longhaul::score
