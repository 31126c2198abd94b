#include "report/vector_map.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "report/covariance.hpp"
#include "report/principal_axes.hpp"

namespace longhaul::report {
namespace {

constexpr const char* kLength = "length";

struct DrawnRow {
  std::uint64_t position = 0;
  std::string id;
  std::string value;  // of the colour's column
  std::vector<float> vector;
};

const OutputSpec* first_vectors(const store::OutputReader& output) {
  for (const OutputSpec& array : output.layout().outputs) {
    if (array.kind == ArrayKind::kVector) {
      return &array;
    }
  }
  return nullptr;
}

std::string value_of(const RecordRow& record, const std::optional<ColourColumn>& colour) {
  if (!colour) {
    return "";
  }
  return colour->kept ? record.kept.at(*colour->kept) : std::to_string(record.length);
}

nlohmann::ordered_json points_of(const std::vector<DrawnRow>& drawn, const PrincipalAxes& axes) {
  nlohmann::ordered_json points;
  for (const char* name : {"x", "y", "row", "id", "value"}) {
    points[name] = nlohmann::ordered_json::array();
  }
  for (const DrawnRow& row : drawn) {
    points["x"].push_back(project(axes, 0, row.vector));
    points["y"].push_back(axes.axes.size() > 1 ? project(axes, 1, row.vector) : 0.0);
    points["row"].push_back(row.position);
    points["id"].push_back(row.id);
    points["value"].push_back(row.value);
  }
  return points;
}

}  // namespace

std::optional<ColourColumn> colour_column(const store::OutputReader& output,
                                          const std::optional<std::string>& name,
                                          bool has_lengths) {
  std::vector<std::string> names = output.layout().kept_columns;
  if (!name) {
    return has_lengths ? std::optional(ColourColumn{kLength, std::nullopt}) : std::nullopt;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (*name == names[i] || *name == "input." + names[i]) {
      return ColourColumn{names[i], i};
    }
  }
  if (*name == kLength && has_lengths) {
    return ColourColumn{kLength, std::nullopt};
  }
  if (has_lengths) {
    names.emplace_back(kLength);
  }
  throw Error(ExitCode::kUsage,
              "--colour " + printable(*name) + " is no column that " +
                  printable(output.path(), 400) + " kept",
              names.empty() ? std::string("leave --colour out, or embed with --keep-column")
                            : "name one of " + printable(join(names, ", "), 400));
}

nlohmann::ordered_json vector_map(const store::OutputReader& output, std::uint64_t ok,
                                  const MapRequest& request,
                                  const std::optional<ColourColumn>& colour, const Stop& stop,
                                  const std::function<void(std::uint64_t done)>& progress) {
  const OutputSpec* spec = first_vectors(output);
  if (spec == nullptr) {
    return {{"why", "this output has the vectors of residues alone, and none of records"}};
  }
  if (ok < 3) {
    return {{"why", "fewer than three records have a vector"}};
  }
  Covariance covariance(spec->dimension, request.workers);
  store::ArrayReader array = output.array(*spec);
  store::RecordCursor records = output.records();
  std::vector<DrawnRow> drawn;
  std::uint64_t seen = 0;
  std::uint64_t not_finite = 0;
  const std::uint64_t most = std::min(request.most_points, ok);
  for (RecordRow record; records.next(record);) {
    stop_if_asked(stop);
    if (record.status != Status::kOk) {
      continue;
    }
    const std::span<const float> vector = array.row(record.row);
    const bool chosen = (seen + 1) * most / ok > seen * most / ok;
    ++seen;
    if (!std::ranges::all_of(vector, [](float value) { return std::isfinite(value); })) {
      ++not_finite;
      continue;
    }
    covariance.add(vector);
    if (chosen) {
      drawn.push_back({record.position, record.id, value_of(record, colour),
                       std::vector<float>(vector.begin(), vector.end())});
    }
    if (progress) {
      progress(seen);
    }
  }
  const PrincipalAxes axes = principal_axes(covariance);
  nlohmann::ordered_json map = {{"array", spec->name},       {"dimension", spec->dimension},
                                {"rows", covariance.rows()}, {"not_finite", not_finite},
                                {"shares", axes.shares},     {"points", points_of(drawn, axes)},
                                {"colour", nullptr}};
  if (colour) {
    map["colour"] = colour->name;
  }
  return map;
}

}  // namespace longhaul::report
