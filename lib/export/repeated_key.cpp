#include "export/repeated_key.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace longhaul::export_room {

std::optional<std::pair<std::uint64_t, std::uint64_t>> rows_with_one_key(
    std::vector<KeyedRow> rows) {
  std::ranges::sort(rows, {}, [](const KeyedRow& row) {
    return std::tuple(row.key.high, row.key.low, row.position);
  });
  const auto twice = std::ranges::adjacent_find(
      rows, [](const KeyedRow& a, const KeyedRow& b) { return a.key == b.key; });
  if (twice == rows.end()) {
    return std::nullopt;
  }
  return std::pair(twice->position, std::next(twice)->position);
}

RecordRow record_at(const store::OutputReader& output, std::uint64_t position) {
  store::RecordCursor records = output.records();
  RecordRow record;
  while (records.next(record) && record.position != position) {
  }
  return record;
}

}  // namespace longhaul::export_room
