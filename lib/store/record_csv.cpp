#include "store/record_csv.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace longhaul::store {

std::string csv_value(std::string_view text) {
  std::string field = csv_field(text);
  if (field.empty() || field.front() != '"') {
    return field;
  }
  std::string value;
  for (std::size_t i = 1; i + 1 < field.size(); ++i) {
    value += field[i];
    i += field[i] == '"' ? 1U : 0U;
  }
  return value;
}

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    line += i > 0 ? "," : "";
    line += csv_field(fields[i]);
  }
  return line + '\n';
}

std::vector<std::string> record_columns(const StoreLayout& layout) {
  std::vector<std::string> columns{"row",    "id",        "source",     "status",
                                   "length", "truncated", "substituted"};
  if (layout.later.gaps) {
    columns.emplace_back("gaps");
  }
  if (layout.later.windows) {
    columns.emplace_back("windows");
  }
  columns.insert(columns.end(), {"hash", "duplicate_of"});
  for (std::string name : layout.kept_columns) {
    while (std::find(columns.begin(), columns.end(), name) != columns.end()) {
      name.insert(0, "input.");
    }
    columns.push_back(std::move(name));
  }
  return columns;
}

std::string records_header(const StoreLayout& layout) {
  return csv_line(record_columns(layout));
}

std::string rejects_header() {
  return csv_line({"row", "id", "source", "line", "reason", "message"});
}

std::string records_line(const StoreLayout& layout, const RecordRow& row) {
  std::vector<std::string> fields{std::to_string(row.position),
                                  row.id,
                                  row.source,
                                  std::string(to_string(row.status)),
                                  std::to_string(row.length),
                                  row.truncated ? "true" : "false",
                                  std::to_string(row.substituted)};
  if (layout.later.gaps) {
    fields.push_back(std::to_string(row.gaps));
  }
  if (layout.later.windows) {
    fields.push_back(std::to_string(row.windows));
  }
  fields.push_back(row.hash == Hash128{} ? "" : to_hex(row.hash));
  fields.push_back(row.duplicate_of ? std::to_string(*row.duplicate_of) : "");
  fields.insert(fields.end(), row.kept.begin(), row.kept.end());
  return csv_line(fields);
}

std::string rejects_line(const RecordRow& row) {
  return csv_line({std::to_string(row.position), row.id, row.source,
                   row.line > 0 ? std::to_string(row.line) : "",
                   std::string(to_string(row.defect.value().reason)), row.defect->message});
}

}  // namespace longhaul::store
