#include "export/output_table.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/error.hpp"
#include "base/text.hpp"
#include "store/record_csv.hpp"

namespace longhaul::export_room {
namespace {

using nlohmann::ordered_json;

// Columns of records.csv that are no text.
constexpr std::array<std::string_view, 6> kCounts{"row",  "length",  "substituted",
                                                  "gaps", "windows", "duplicate_of"};

Column record_column(const std::string& name, bool kept) {
  if (kept) {
    return {name, CellType::kText, false, true};
  }
  if (std::find(kCounts.begin(), kCounts.end(), name) != kCounts.end()) {
    return {name, CellType::kCount, name == "duplicate_of"};
  }
  return {name, name == "truncated" ? CellType::kFlag : CellType::kText};
}

// What a reader of the table alone must know to use its vectors or to make more of them.
std::string metadata_of(const ordered_json& run) {
  ordered_json kept = ordered_json::object();
  for (const char* field : {"longhaul", "model", "card", "fingerprint", "settings", "choices",
                            "bits", "bits_reasons", "counts", "inputs"}) {
    if (run.contains(field)) {
      kept[field] = run.at(field);
    }
  }
  if (kept.contains("card") && kept.at("card").is_object()) {
    kept.at("card").erase("golden");  // vectors of their own: thousands of numbers
  }
  return kept.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

std::string array_column(const OutputSpec& array) {
  constexpr std::string_view kFirst = "embeddings";
  return array.name.starts_with(kFirst) ? "vector" + array.name.substr(kFirst.size()) : array.name;
}

std::vector<std::size_t> arrays_named(const store::OutputReader& output, const std::string& name) {
  std::vector<std::size_t> arrays;
  std::vector<std::string> names;
  for (const OutputSpec& spec : output.layout().outputs) {
    names.push_back(array_column(spec));
    if (name.empty() || name == names.back()) {
      arrays.push_back(names.size() - 1);
    }
  }
  if (arrays.empty()) {
    throw Error(ExitCode::kUsage,
                "--array " + printable(name) + " is no array of " + printable(output.path(), 400),
                "name one of " + join(names, ", "));
  }
  return arrays;
}

TableSchema output_schema(const store::OutputReader& output, bool all,
                          const std::vector<std::size_t>& arrays) {
  const store::StoreLayout& layout = output.layout();
  TableSchema schema;
  for (const std::size_t array : arrays) {
    const OutputSpec& spec = layout.outputs[array];
    schema.vectors.push_back({array_column(spec), spec.kind, spec.dimension});
  }
  const std::vector<std::string> names = store::record_columns(layout);
  const std::size_t own = names.size() - layout.kept_columns.size();
  const auto taken = [&](const std::string& name) {
    const auto is_name = [&](const auto& column) { return column.name == name; };
    return std::any_of(schema.vectors.begin(), schema.vectors.end(), is_name) ||
           std::any_of(schema.columns.begin(), schema.columns.end(), is_name);
  };
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string name = names[i];
    while (taken(name)) {
      name.insert(0, "input.");
    }
    schema.columns.push_back(record_column(name, i >= own));
  }
  schema.vectors_may_be_missing = all;
  schema.metadata = metadata_of(output.run());
  return schema;
}

std::span<const Cell> RecordCells::of(const RecordRow& record) {
  hash_ = record.hash == Hash128{} ? "" : to_hex(record.hash);
  cells_.assign({record.position, std::string_view(record.id), std::string_view(record.source),
                 to_string(record.status), std::uint64_t{record.length}, record.truncated,
                 std::uint64_t{record.substituted}});
  if (later_.gaps) {
    cells_.emplace_back(std::uint64_t{record.gaps});
  }
  if (later_.windows) {
    cells_.emplace_back(std::uint64_t{record.windows});
  }
  cells_.emplace_back(std::string_view(hash_));
  cells_.push_back(record.duplicate_of ? Cell(*record.duplicate_of) : Cell());
  for (const std::string& kept : record.kept) {
    cells_.emplace_back(std::string_view(kept));
  }
  return cells_;
}

}  // namespace longhaul::export_room
