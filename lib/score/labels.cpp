#include "score/labels.hpp"

#include <unordered_map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "input/input_digest.hpp"
#include "score/predictions.hpp"
#include "score/table.hpp"

namespace longhaul::score {
namespace {

// An empty label is a missing one; anything else must be 0 or 1.
std::optional<std::uint8_t> label_of(std::string_view text, const std::string& where) {
  if (text.empty()) {
    return std::nullopt;
  }
  const std::optional<std::uint8_t> label = parse_label(text);
  if (!label) {
    throw Error(ExitCode::kBadData, where + ": the label is '" + printable(text) + "', not 0 or 1",
                "name another column with --label, or correct the label");
  }
  return label;
}

std::string row_name(const RunDirectory& run, std::size_t row) {
  return "row " + std::to_string(row) + " (" + printable(run.id(row)) + ")";
}

Error changed_input(const RunDirectory& run) {
  return Error(ExitCode::kBadData,
               "the input of " + run.path() +
                   " is no longer what was embedded, so its labels may "
                   "belong to other rows",
               "restore it, give --labels FILE, or embed again with --keep-column");
}

}  // namespace

std::optional<Labels> labels_from_records(const RunDirectory& run, const std::string& column) {
  const std::optional<std::vector<std::string>> texts = run.column(column);
  if (!texts) {
    return std::nullopt;
  }
  Labels labels{{}, "column " + column + " of " + run.path() + "/records.csv"};
  for (std::size_t row = 0; row < texts->size(); ++row) {
    labels.of_row.push_back(label_of((*texts)[row], run.path() + ", " + row_name(run, row)));
  }
  return labels;
}

Labels labels_from_input(const RunDirectory& run, input::RecordReader& reader,
                         const std::string& column, const InputHash& embedded) {
  Labels labels{{}, "column " + column + " of the recorded input"};
  std::vector<std::string> texts;
  std::vector<std::string> sources;
  auto digest = input::InputDigest::in_form_of(embedded);
  while (std::optional<Record> record = reader.next()) {
    texts.push_back(record->kept.empty() ? "" : std::move(record->kept.back()));
    sources.push_back(record->source + ", line " + std::to_string(record->line));
    // The digest is of the columns that were kept then.
    if (!record->kept.empty()) {
      record->kept.pop_back();
    }
    digest.add(*record);
    if (texts.size() > run.rows()) {
      throw changed_input(run);
    }
  }
  if (texts.size() != run.rows() || digest.value() != embedded) {
    throw changed_input(run);
  }
  for (std::size_t row = 0; row < texts.size(); ++row) {
    labels.of_row.push_back(label_of(texts[row], sources[row]));
  }
  return labels;
}

Labels labels_from_file(const RunDirectory& run, const LabelFile& file) {
  std::unordered_map<std::string, std::size_t> row_of;
  for (std::size_t row = 0; row < run.rows(); ++row) {
    const auto [entry, is_new] = row_of.try_emplace(run.id(row), row);
    if (!is_new) {
      throw Error(ExitCode::kBadData,
                  "id " + printable(run.id(row)) + " stands in rows " +
                      std::to_string(entry->second) + " and " + std::to_string(row) + " of " +
                      run.path() + ": labels cannot be joined by id",
                  "embed again with --keep-column and the label's column");
    }
  }
  CsvReader table = open_table(file.path);
  const std::size_t id_at = require_column(table, file.id_column, "--id-column");
  const std::size_t label_at = require_column(table, file.label_column, "--label");
  Labels labels{
      std::vector<std::optional<std::uint8_t>>(run.rows()),
      "column " + file.label_column + " of " + file.path + ", joined by " + file.id_column};
  std::unordered_map<std::string, std::string> seen;  // id to where it stood
  while (table.next()) {
    const std::string id(table.field(id_at));
    const auto [entry, is_new] = seen.try_emplace(id, table.where());
    if (!is_new) {
      throw Error(
          ExitCode::kBadData,
          table.where() + ": id " + printable(id) + " was given before, at " + entry->second,
          "give each id once");
    }
    const auto row = row_of.find(id);
    if (row != row_of.end()) {
      labels.of_row[row->second] = label_of(table.field(label_at), table.where());
    }
  }
  return labels;
}

}  // namespace longhaul::score
