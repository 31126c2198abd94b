// A CSV file whose every row counts: predictions, labels, folds, records.csv. Where the readers of
// lib/input make a bad line one rejected record, here it is an Error(kBadData) that names the line.
// One thread at a time. Errors also: kUsage for a column that is not there, kIo.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul::score {

class Table {
 public:
  // "-" is standard input. Lines of '#' before the header are passed over.
  explicit Table(const std::string& path);
  Table(Table&&) noexcept;
  ~Table();

  const std::vector<std::string>& columns() const;
  std::optional<std::size_t> find(std::string_view column) const;
  // Error(kUsage) that lists the columns there are; `flag` is what could name another.
  std::size_t require(std::string_view column, std::string_view flag) const;

  // The next row; false at the end.
  bool next();
  std::string_view field(std::size_t column) const;  // valid until next()
  // "predictions.csv, line 12": where the row begins.
  std::string where() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace longhaul::score
