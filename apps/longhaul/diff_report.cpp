#include "diff_report.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "score/diff_settings.hpp"
#include "terminal_text.hpp"

namespace longhaul::app {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using Table = std::vector<std::vector<std::string>>;

// Of the cosines, from the least on; of the distances these are the greatest.
constexpr std::array<std::pair<const char*, double>, 5> kShares{
    {{"0.1 %", 0.001}, {"1 %", 0.01}, {"5 %", 0.05}, {"25 %", 0.25}, {"50 %", 0.5}}};

std::string decimals(double value, int digits) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

// A cosine with two digits of what it lacks of 1: "0.99999988".
std::string cosine_text(double distance) {
  if (distance == 0) {
    return "1";
  }
  const int digits = static_cast<int>(std::ceil(-std::log10(distance))) + 1;
  if (digits > 13) {
    return "1 - " + short_number(distance);
  }
  return decimals(1 - distance, std::max(4, digits));
}

// A line of its own under what it belongs to.
std::string indented(const std::string& text, std::size_t columns) {
  return "  " + filled(text, columns, 4, 2) + '\n';
}

std::string names(const score::Named& named) {
  std::vector<std::string> parts;
  for (const auto& example : named.first) {
    parts.push_back(printable(example.id, 40));
  }
  return join(parts, ", ") + (named.count > named.first.size() ? ", ..." : "");
}

std::string count_and_names(const score::Named& named) {
  return format_count(named.count) + ": " + names(named);
}

std::string state_of(const store::OutputReader& output) {
  std::string text = format_count(output.rows()) + " rows";
  if (!output.finished()) {
    text += " in complete windows; not finished, what is committed is compared";
  }
  const json bits = json(output.run()).value("bits", json(nullptr));
  return text + (bits.is_string() ? ", bits " + bits.get<std::string>() : "");
}

// Values of the two side by side, those that differ.
void print_objects(const std::string& title, const json& a, const json& b, std::size_t columns) {
  const score::ObjectDiff diff = score::compare_objects(a, b);
  if (a.is_null() && b.is_null()) {
    return;
  }
  std::cout << named_line(title,
                          format_count(diff.same) + " the same, " +
                              format_count(diff.apart.size()) +
                              (diff.apart.size() == 1 ? " differs" : " differ"),
                          columns);
  for (const score::ValuePair& pair : diff.apart) {
    const auto side = [](const json& value) {
      return value.is_null() ? std::string("-") : printable(in_words(value), 400);
    };
    std::cout << indented(pair.name + ": " + side(pair.a) + " | " + side(pair.b), columns);
  }
}

void print_origins(const DiffReport& report, std::size_t columns) {
  const json a = score::describe_origin(report.a);
  const json b = score::describe_origin(report.b);
  const auto part = [](const json& origin, const char* name) {
    return origin.value(name, json(nullptr));
  };
  std::cout << named_line("A", report.a.path() + ": " + state_of(report.a), columns)
            << named_line("B", report.b.path() + ": " + state_of(report.b), columns);
  const json model_a = part(a, "model");
  const json model_b = part(b, "model");
  const auto sha = [](const json& model) {
    return model.is_object() ? model.value("sha256", json(nullptr)) : json(nullptr);
  };
  const bool known = sha(model_a).is_string() && sha(model_b).is_string();
  const auto model = [&](const json& origin, const json& file) {
    return in_words(part(origin, "card")) + ", " +
           (file.is_object() ? in_words(file.value("path", json(nullptr))) : std::string("-")) +
           ", SHA-256 " + in_words(sha(file)).substr(0, 16);
  };
  if (known && sha(model_a) == sha(model_b)) {
    std::cout << named_line("model", "the same: " + model(a, model_a), columns);
  } else {
    std::cout << named_line("model of A", model(a, model_a), columns)
              << named_line("model of B", model(b, model_b), columns);
  }
  const json inputs_a = part(a, "inputs");
  const json inputs_b = part(b, "inputs");
  if (inputs_a == inputs_b) {
    std::cout << named_line("inputs", in_words(inputs_a), columns);
  } else {
    std::cout << named_line("inputs of A", in_words(inputs_a), columns)
              << named_line("inputs of B", in_words(inputs_b), columns);
  }
  print_objects("settings", part(a, "settings"), part(b, "settings"), columns);
  print_objects("choices", part(a, "choices"), part(b, "choices"), columns);
  print_objects("machine", part(a, "machine"), part(b, "machine"), columns);
}

void print_records(const score::JoinedRows& rows, std::size_t columns) {
  std::cout << named_line(
      "records",
      format_count(rows.records()) + " in both, joined by " +
          (rows.joined_by() == score::JoinedBy::kRow ? "row: the same records in the same order"
                                                     : "id: other records, or in another order"),
      columns);
  const auto line = [columns](const char* name, const score::Named& named) {
    if (named.count > 0) {
      std::cout << named_line(name, count_and_names(named), columns);
    }
  };
  line("only in A", rows.only_a());
  line("only in B", rows.only_b());
  line("repeated id", rows.repeated_a());
  line("repeated id", rows.repeated_b());
  line("changed", rows.other_content());
  for (const auto& [change, named] : rows.status_changes()) {
    std::cout << named_line("status",
                            std::string(to_string(change.first)) + " in A, " +
                                std::string(to_string(change.second)) +
                                " in B: " + count_and_names(named),
                            columns);
  }
}

void print_worst(const score::ArrayDiff& array, std::size_t columns) {
  if (array.worst.empty()) {
    return;
  }
  Table rows{{"row of A", "of B", "cosine", "less mean", "difference", "id"}};
  for (const score::WorstPair& pair : array.worst) {
    rows.push_back({std::to_string(pair.row_a) + (array.a.kind == ArrayKind::kTokens
                                                      ? " residue " + std::to_string(pair.vector)
                                                      : std::string()),
                    std::to_string(pair.row_b), cosine_text(pair.distance),
                    pair.centred_distance ? cosine_text(*pair.centred_distance) : "-",
                    short_number(pair.difference), printable(pair.id, 24)});
  }
  std::cout << "  farthest apart\n" << table(rows, columns);
}

void print_array(const score::ArrayDiff& array, std::size_t columns) {
  std::string said = format_count(array.vectors) + " vectors of " +
                     format_count(array.a.dimension) + " numbers, " +
                     format_count(array.same_bits) + " the same bits";
  if (array.a.dtype != array.b.dtype) {
    said += "; " + std::string(to_string(array.a.dtype)) + " in A, " +
            std::string(to_string(array.b.dtype)) + " in B";
  }
  std::cout << '\n' << filled(array.a.name + ": " + said, columns, 2, 0) << '\n';
  const auto count = [columns](std::uint64_t n, const std::string& what) {
    if (n > 0) {
      std::cout << indented(format_count(n) + " " + what, columns);
    }
  };
  count(array.not_finite, "vectors are not finite, of records that are ok");
  count(array.other_count, "records have another number of residues in B");
  count(array.no_direction, "vectors are zero and have no cosine");
  if (array.distances.count() == 0) {
    return;
  }
  std::cout << indented("greatest difference of a number " +
                            short_number(array.greatest_difference) + ", in proportion " +
                            short_number(array.greatest_relative),
                        columns);
  const auto centred = [&](double distance) {
    return array.centred.count() > 0 ? cosine_text(distance) : std::string("-");
  };
  Table rows{{"  cosine", "as it is", "less the mean"}};
  rows.push_back(
      {"  least", cosine_text(array.distances.greatest()), centred(array.centred.greatest())});
  for (const auto& [name, share] : kShares) {
    rows.push_back({std::string("  ") + name, cosine_text(array.distances.at(1 - share)),
                    centred(array.centred.at(1 - share))});
  }
  std::cout << table(rows, columns);
  if (array.sample > 0) {
    std::cout << indented(decimals(100 * array.agreement, 2) + " % of the " +
                              format_count(array.neighbours) +
                              " nearest neighbours are the same (" + format_count(array.sample) +
                              " rows, among themselves)",
                          columns);
  }
  print_worst(array, columns);
}

json to_json(const score::Named& named) {
  json first = json::array();
  for (const auto& example : named.first) {
    first.push_back({{"row", example.row}, {"id", printable(example.id, 4096)}});
  }
  return {{"count", named.count}, {"first", std::move(first)}};
}

ordered_json to_json(const score::Distances& distances) {
  if (distances.count() == 0) {
    return nullptr;
  }
  ordered_json object{{"least", 1 - distances.greatest()}};
  ordered_json apart{{"greatest", distances.greatest()}};
  for (const auto& [name, share] : kShares) {
    const std::string key(name, std::string_view(name).find(' '));
    object[key] = 1 - distances.at(1 - share);
    apart[key] = distances.at(1 - share);
  }
  object["distance"] = std::move(apart);
  return object;
}

ordered_json to_json(const score::ArrayDiff& array) {
  ordered_json worst = ordered_json::array();
  for (const score::WorstPair& pair : array.worst) {
    ordered_json entry{{"row_a", pair.row_a},
                       {"row_b", pair.row_b},
                       {"id", printable(pair.id, 4096)},
                       {"cosine", 1 - pair.distance},
                       {"centred_cosine", nullptr},
                       {"difference", pair.difference}};
    if (pair.centred_distance) {
      entry["centred_cosine"] = 1 - *pair.centred_distance;
    }
    if (array.a.kind == ArrayKind::kTokens) {
      entry["residue"] = pair.vector;
    }
    worst.push_back(std::move(entry));
  }
  ordered_json object{{"equal", array.equal()},
                      {"dimension", array.a.dimension},
                      {"vectors", array.vectors},
                      {"same_bits", array.same_bits},
                      {"beyond_tolerance", array.beyond},
                      {"not_finite", array.not_finite},
                      {"other_residues", array.other_count},
                      {"no_direction", array.no_direction},
                      {"greatest_difference", array.greatest_difference},
                      {"greatest_in_proportion", array.greatest_relative},
                      {"cosine", to_json(array.distances)},
                      {"centred_cosine", to_json(array.centred)},
                      {"neighbours", nullptr},
                      {"worst", std::move(worst)}};
  if (array.sample > 0) {
    object["neighbours"] = {
        {"rows", array.sample}, {"nearest", array.neighbours}, {"agreement", array.agreement}};
  }
  return object;
}

ordered_json describe(const store::OutputReader& output) {
  ordered_json object{{"path", printable(output.path(), 4096)},
                      {"rows", output.rows()},
                      {"finished", output.finished()}};
  const json origin = score::describe_origin(output);
  for (const auto& [name, value] : origin.items()) {
    object[name] = value;
  }
  return object;
}

}  // namespace

std::string verdict_of(const DiffReport& report) {
  if (report.diff.equal()) {
    return report.settings.tolerance ? "within " + short_number(*report.settings.tolerance)
                                     : "the same bits";
  }
  std::vector<std::string> reasons;
  const auto add = [&](std::uint64_t count, const std::string& what) {
    if (count > 0) {
      reasons.push_back(format_count(count) + " " + what);
    }
  };
  const score::JoinedRows& rows = report.diff.rows;
  add(rows.only_a().count, "records only in A");
  add(rows.only_b().count, "records only in B");
  add(rows.other_content().count, "records with other content");
  std::uint64_t changes = 0;
  for (const auto& [change, named] : rows.status_changes()) {
    changes += named.count;
  }
  add(changes, "with another status");
  for (const score::ArrayDiff& array : report.diff.arrays) {
    add(array.beyond,
        report.settings.tolerance
            ? "vectors of " + array.a.name + " beyond " + short_number(*report.settings.tolerance)
            : "vectors of " + array.a.name + " with other bits");
    add(array.not_finite, "vectors of " + array.a.name + " not finite");
    add(array.other_count, "records with other residues in " + array.a.name);
  }
  const auto list = [&](const std::vector<std::string>& arrays, const char* what) {
    if (!arrays.empty()) {
      reasons.push_back(join(arrays, ", ") + " " + what);
    }
  };
  list(report.diff.only_a, "only in A");
  list(report.diff.only_b, "only in B");
  list(report.diff.other_shape, "of another shape in B");
  add(report.diff.damaged_a.count, "damaged rows in A");
  add(report.diff.damaged_b.count, "damaged rows in B");
  return "not the same: " + join(reasons, "; ");
}

void print_diff(const DiffReport& report, std::size_t columns) {
  print_origins(report, columns);
  print_records(report.diff.rows, columns);
  for (const score::ArrayDiff& array : report.diff.arrays) {
    print_array(array, columns);
  }
  std::cout << '\n' << filled(verdict_of(report), columns, 2, 0) << '\n';
}

ordered_json to_json(const DiffReport& report) {
  const ordered_json a = describe(report.a);
  const ordered_json b = describe(report.b);
  ordered_json apart = ordered_json::object();
  for (const char* part : {"settings", "choices", "machine", "model"}) {
    const score::ObjectDiff diff = score::compare_objects(json(a).value(part, json(nullptr)),
                                                          json(b).value(part, json(nullptr)));
    ordered_json values = ordered_json::object();
    for (const score::ValuePair& pair : diff.apart) {
      values[pair.name] = {pair.a, pair.b};
    }
    apart[part] = std::move(values);
  }
  const score::JoinedRows& rows = report.diff.rows;
  ordered_json changes = ordered_json::array();
  for (const auto& [change, named] : rows.status_changes()) {
    ordered_json entry = to_json(named);
    entry["a"] = to_string(change.first);
    entry["b"] = to_string(change.second);
    changes.push_back(std::move(entry));
  }
  ordered_json arrays = ordered_json::object();
  for (const score::ArrayDiff& array : report.diff.arrays) {
    arrays[array.a.name] = to_json(array);
  }
  ordered_json out;
  out["equal"] = report.diff.equal();
  out["verdict"] = verdict_of(report);
  out["tolerance"] = report.settings.tolerance ? json(*report.settings.tolerance) : json(nullptr);
  out["a"] = a;
  out["b"] = b;
  out["apart"] = std::move(apart);
  out["records"] = {{"joined_by", rows.joined_by() == score::JoinedBy::kRow ? "row" : "id"},
                    {"in_both", rows.records()},
                    {"only_a", to_json(rows.only_a())},
                    {"only_b", to_json(rows.only_b())},
                    {"repeated_a", to_json(rows.repeated_a())},
                    {"repeated_b", to_json(rows.repeated_b())},
                    {"other_content", to_json(rows.other_content())},
                    {"status_changes", std::move(changes)},
                    {"damaged_a", to_json(report.diff.damaged_a)},
                    {"damaged_b", to_json(report.diff.damaged_b)}};
  out["arrays"] = std::move(arrays);
  out["arrays_only_a"] = report.diff.only_a;
  out["arrays_only_b"] = report.diff.only_b;
  out["arrays_of_other_shape"] = report.diff.other_shape;
  return out;
}

}  // namespace longhaul::app
