// A map of the vectors: the two directions in which they differ most, found over every row that has
// a vector, and the places of some thousands of them, evenly chosen.
// Memory: a matrix of the dimension, and the rows that are drawn. One thread calls. Errors: those
// of store/array_reader.hpp; kUsage for a column that was not kept; kInterrupted.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "report/record_facts.hpp"
#include "store/output_reader.hpp"

namespace longhaul::report {

struct MapRequest {
  std::optional<std::string> colour;  // a kept column, or "length"; none: length where there is one
  std::uint64_t most_points = 3000;
  std::size_t workers = 1;
};

// The column that colours the map: its name, and where its values stand. Error(kUsage) names those
// there are.
struct ColourColumn {
  std::string name;
  std::optional<std::size_t> kept;  // of RecordRow::kept; none: the length
};
std::optional<ColourColumn> colour_column(const store::OutputReader& output,
                                          const std::optional<std::string>& name, bool has_lengths);

// {"array", "dimension", "rows": of which the axes are, "not_finite", "shares": of the variance,
//  "points": {"x", "y", "row", "id", "value"}, "colour": name or null}; or {"why": text} where
// there is no map. `ok` is the number of records that have a vector.
nlohmann::ordered_json vector_map(const store::OutputReader& output, std::uint64_t ok,
                                  const MapRequest& request,
                                  const std::optional<ColourColumn>& colour, const Stop& stop,
                                  const std::function<void(std::uint64_t done)>& progress);

}  // namespace longhaul::report
