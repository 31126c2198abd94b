#include "neighbour_table.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "store/record_csv.hpp"

namespace longhaul::app {
namespace {

using export_room::CellType;

// Of those names or, as a user knows them, of what they were called in the input.
std::size_t kept_column(const store::OutputReader& rows, const std::vector<std::string>& names,
                        const std::string& wanted) {
  for (const std::vector<std::string>* all : {&names, &rows.layout().kept_columns}) {
    const auto found = std::ranges::find(*all, wanted);
    if (found != all->end()) {
      return static_cast<std::size_t>(found - all->begin());
    }
  }
  throw Error(ExitCode::kUsage,
              printable(rows.path(), 400) + " kept no column '" + printable(wanted) + "'",
              names.empty() ? "embed again with --keep-column " + shell_word(wanted)
                            : "kept columns: " + join(names, ", "));
}

}  // namespace

NeighbourTable::NeighbourTable(const store::OutputReader& rows,
                               const std::optional<std::string>& transfer, std::string metadata) {
  std::vector<std::string> names = store::record_columns(rows.layout());
  names.erase(names.begin(),
              names.end() - static_cast<std::ptrdiff_t>(rows.layout().kept_columns.size()));
  schema_.metadata = std::move(metadata);
  schema_.columns = {{"row", CellType::kCount},         {"id", CellType::kText},
                     {"rank", CellType::kCount},        {"neighbour_row", CellType::kCount},
                     {"neighbour_id", CellType::kText}, {"score", CellType::kNumber}};
  const auto add = [this](std::string name) {
    const auto taken = [&] {
      return std::ranges::any_of(schema_.columns,
                                 [&](const auto& column) { return column.name == name; });
    };
    while (taken()) {
      name.insert(0, "input.");
    }
    schema_.columns.push_back({std::move(name), CellType::kText});
  };
  for (const std::string& name : names) {
    add(name);
  }
  if (transfer) {
    transferred_ = kept_column(rows, names, *transfer);
    add("transferred." + *transfer);
  }
}

void NeighbourTable::begin(Files& files, const std::string& path,
                           const export_room::MakeSink& make_sink) {
  sink_ = make_sink(files, path, schema_);
}

void NeighbourTable::add(std::uint64_t row, const std::string& id,
                         std::span<const score::FoundNeighbour> nearest) {
  std::uint64_t rank = 0;
  for (const score::FoundNeighbour& one : nearest) {
    cells_.assign({row, std::string_view(id), ++rank, one.record->position,
                   std::string_view(one.record->id), one.score});
    for (const std::string& kept : one.record->kept) {
      cells_.emplace_back(std::string_view(kept));
    }
    if (transferred_) {
      cells_.emplace_back(std::string_view(nearest.front().record->kept[*transferred_]));
    }
    sink_->add({cells_, {}});
  }
}

}  // namespace longhaul::app
