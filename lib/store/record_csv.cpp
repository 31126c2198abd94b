#include "store/record_csv.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::store {

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
  if (layout.gaps_column) {
    columns.emplace_back("gaps");
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
  if (layout.gaps_column) {
    fields.push_back(std::to_string(row.gaps));
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

CsvFile::CsvFile(File& file, std::string name, std::uint64_t limit)
    : file_(file), name_(std::move(name)), limit_(limit) {}

std::optional<char> CsvFile::take() {
  if (at_ == buffer_.size()) {
    constexpr std::uint64_t kChunk = 256 * 1024;
    buffer_.resize(std::min(kChunk, limit_ - offset_));
    buffer_.resize(
        file_.read_at(offset_, std::as_writable_bytes(std::span(buffer_.data(), buffer_.size()))));
    offset_ += buffer_.size();
    at_ = 0;
    if (buffer_.empty()) {
      return std::nullopt;
    }
  }
  const char c = buffer_[at_++];
  next_line_ += c == '\n' ? 1 : 0;
  return c;
}

std::optional<std::vector<std::string>> CsvFile::next() {
  line_ = next_line_;
  std::optional<char> c = take();
  if (!c) {
    return std::nullopt;
  }
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (; c; c = take()) {
    if (quoted) {
      if (*c != '"') {
        fields.back() += *c;
        continue;
      }
      c = take();
      if (c == '"') {
        fields.back() += '"';
        continue;
      }
      quoted = false;
      if (!c) {
        break;
      }
    }
    if (*c == '\n') {
      return fields;
    }
    if (*c == ',') {
      fields.emplace_back();
    } else if (*c == '"' && fields.back().empty()) {
      quoted = true;
    } else {
      fields.back() += *c;
    }
  }
  throw Error(ExitCode::kBadData,
              name_ + ": line " + std::to_string(line_) + " does not end as a CSV line does",
              "restore it from a copy, or embed again with --overwrite");
}

}  // namespace longhaul::store
