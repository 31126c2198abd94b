#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "export/push_output.hpp"
#include "store/layers.hpp"

namespace longhaul::export_room {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kLongestName = 63;  // PostgreSQL cuts longer ones without a word
constexpr std::size_t kMostColumns = 1600;
constexpr std::uint32_t kMostNumbers = 16000;
// An index of pgvector holds so many numbers of float32, and twice as many halves.
constexpr std::uint32_t kMostIndexed = 4000;
// id, row_number, vector, and columns that every table of PostgreSQL has.
constexpr std::array<std::string_view, 9> kTakenNames{
    "id", "row_number", "vector", "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"};

void name_table(const std::string& name, TableShape& shape) {
  const std::size_t dot = name.find('.');
  if (dot != std::string::npos) {
    shape.schema = name.substr(0, dot);
  }
  shape.name = dot == std::string::npos ? name : name.substr(dot + 1);
  const auto bad = [](const std::string& part) {
    return part.empty() || part.size() > kLongestName || part.find('.') != std::string::npos ||
           !is_utf8(part);
  };
  if (bad(shape.name) || (dot != std::string::npos && bad(shape.schema))) {
    throw Error(ExitCode::kUsage, "--table " + printable(name) + " is no name of a table",
                "write NAME or SCHEMA.NAME, each of 1 to 63 bytes");
  }
}

void require_dimension(const OutputSpec& array, bool indexed) {
  if (array.dimension > kMostNumbers) {
    throw Error(ExitCode::kBadData,
                "vectors of " + format_count(array.dimension) +
                    " numbers do not fit a column of pgvector, which holds 16,000",
                "longhaul export makes a Parquet table of any dimension");
  }
  if (indexed && array.dimension > kMostIndexed) {
    throw Error(ExitCode::kUsage,
                "an hnsw index of pgvector holds at most 4,000 numbers, and the vectors have " +
                    format_count(array.dimension),
                "leave --index out: a search without one is exact");
  }
}

std::vector<std::string> text_columns(const std::vector<std::string>& kept) {
  std::vector<std::string> names;
  if (kept.size() + 3 > kMostColumns) {
    throw Error(ExitCode::kBadData,
                "a table of PostgreSQL has at most 1,600 columns, and the output has " +
                    format_count(kept.size()) + " kept ones, id, row_number and vector",
                "embed it with fewer --keep-column");
  }
  for (std::string name : kept) {
    const auto taken = [&] {
      return name.empty() || std::ranges::find(kTakenNames, name) != kTakenNames.end() ||
             std::ranges::find(names, name) != names.end();
    };
    while (taken()) {
      name.insert(0, "input.");
    }
    if (name.size() > kLongestName || name.find('\0') != std::string::npos) {
      throw Error(ExitCode::kBadData,
                  "the kept column " + printable(name) +
                      " can be no column of PostgreSQL: a name has at most 63 bytes, and no NUL",
                  "embed it under a shorter name, or without this --keep-column");
    }
    names.push_back(std::move(name));
  }
  return names;
}

// Vectors that agree in these can stand in one table.
std::string made_by(const store::OutputReader& output, const OutputSpec& array) {
  const nlohmann::json fingerprint =
      output.claims()->run.begin.value("fingerprint", nlohmann::json::object());
  ordered_json made = {{"layer", store::layer_of(output, array)}};
  for (const char* field : {"model_sha256", "card_sha256", "pooling", "normalize"}) {
    made[field] = fingerprint.value(field, nlohmann::json());
  }
  return made.dump(-1, ' ', true, ordered_json::error_handler_t::replace);
}

}  // namespace

TableShape push_shape(const store::OutputReader& output, const PushRequest& request) {
  TableShape shape;
  name_table(request.table, shape);
  const OutputSpec array = store::array_of_layer(output, request.layer);
  require_dimension(array, request.index.has_value());
  shape.key = request.key;
  shape.dimension = array.dimension;
  shape.texts = text_columns(output.layout().kept_columns);
  shape.made_by = made_by(output, array);
  return shape;
}

}  // namespace longhaul::export_room
