#include "score/run_directory.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/text.hpp"
#include "score/table.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::score {
namespace {

constexpr const char* kVerify = "run longhaul verify on it";

std::string in(const std::string& directory, const char* name) {
  return directory + "/" + name;
}

Status status_from(std::string_view text, const std::string& where) {
  for (const Status status : {Status::kOk, Status::kRejected, Status::kDuplicate}) {
    if (to_string(status) == text) {
      return status;
    }
  }
  throw Error(ExitCode::kBadData, where + ": unknown status '" + printable(text) + "'", kVerify);
}

}  // namespace

RunDirectory::RunDirectory(Files& files, const std::string& path) : path_(path) {
  if (files.kind(path) != PathKind::kDirectory) {
    throw Error(ExitCode::kBadData, path + " is not an output directory",
                "name the --output of a longhaul embed run");
  }
  if (!files.exists(in(path, store::store_files::kEmbeddings)) ||
      !files.exists(in(path, store::store_files::kReport))) {
    const bool begun = files.exists(in(path, store::store_files::kJournal));
    throw Error(ExitCode::kBadData,
                path + (begun ? " holds a run that is not finished"
                              : " is not an output directory of longhaul embed"),
                begun ? "give the same embed command again: it continues"
                      : "name the --output of a longhaul embed run");
  }
  store::require_known_journal(files, path);
  try {
    report_ = nlohmann::json::parse(read_text(files, in(path, store::store_files::kReport)));
  } catch (const nlohmann::json::exception& error) {
    throw Error(ExitCode::kBadData, in(path, store::store_files::kReport) + ": " + error.what(),
                kVerify);
  }
  read_records();
  open_embeddings(files);
}

void RunDirectory::read_records() {
  Table table(in(path_, store::store_files::kRecords));
  const std::size_t row_at = table.require("row", "");
  const std::size_t id_at = table.require("id", "");
  const std::size_t status_at = table.require("status", "");
  while (table.next()) {
    if (parse_count(table.field(row_at)) != ids_.size()) {
      throw Error(ExitCode::kBadData,
                  table.where() + ": row '" + printable(table.field(row_at)) + "' where row " +
                      std::to_string(ids_.size()) + " belongs",
                  kVerify);
    }
    ids_.emplace_back(table.field(id_at));
    statuses_.push_back(status_from(table.field(status_at), table.where()));
  }
}

void RunDirectory::open_embeddings(Files& files) {
  const std::string name = in(path_, store::store_files::kEmbeddings);
  embeddings_ = files.open(name, OpenMode::kRead);
  std::string start(kNpyHeaderLimit, '\0');
  start.resize(
      embeddings_->read_at(0, std::as_writable_bytes(std::span(start.data(), start.size()))));
  header_ = parse_npy_header(start, name);
  const std::uint64_t bytes = header_.data_offset + header_.count() * header_.item_bytes();
  if (header_.shape.size() != 2 || header_.shape[0] != ids_.size() ||
      embeddings_->size() != bytes) {
    throw Error(ExitCode::kBadData,
                name + " does not have one vector for each of the " + format_count(ids_.size()) +
                    " records in records.csv",
                kVerify);
  }
  dimension_ = header_.shape[1];
}

nlohmann::json RunDirectory::origin() const {
  nlohmann::json origin = {{"dimension", dimension_}};
  const auto copy = [&](const nlohmann::json& from, const char* field, const char* as) {
    if (from.is_object() && from.contains(field)) {
      origin[as] = from.at(field);
    }
  };
  const auto part = [&](const char* name) { return report_.value(name, nlohmann::json::object()); };
  for (const char* field : {"model_sha256", "card_sha256", "pooling", "normalize", "dtype"}) {
    copy(part("fingerprint"), field, field);
  }
  copy(part("card"), "name", "card");
  return origin;
}

std::vector<std::string> RunDirectory::columns() const {
  return Table(in(path_, store::store_files::kRecords)).columns();
}

std::optional<std::vector<std::string>> RunDirectory::column(std::string_view name) const {
  Table table(in(path_, store::store_files::kRecords));
  const std::optional<std::size_t> at = table.find(name);
  if (!at) {
    return std::nullopt;
  }
  std::vector<std::string> values;
  values.reserve(rows());
  while (table.next()) {
    values.emplace_back(table.field(*at));
  }
  return values;
}

std::vector<double> RunDirectory::vectors(std::span<const std::size_t> rows) {
  std::vector<double> values(rows.size() * dimension_);
  const std::size_t row_bytes = dimension_ * header_.item_bytes();
  std::string bytes;
  for (std::size_t i = 0; i < rows.size();) {
    // A run of consecutive rows is read at once.
    std::size_t end = i + 1;
    while (end < rows.size() && rows[end] == rows[end - 1] + 1) {
      ++end;
    }
    bytes.resize((end - i) * row_bytes);
    const std::size_t read =
        embeddings_->read_at(header_.data_offset + rows[i] * row_bytes,
                             std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
    if (read != bytes.size()) {
      throw Error(ExitCode::kIo, path_ + ": embeddings.npy ends early", kVerify);
    }
    npy_to_double(header_, bytes,
                  std::span(values).subspan(i * dimension_, (end - i) * dimension_));
    i = end;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      const std::size_t row = rows[i / dimension_];
      throw Error(ExitCode::kBadData,
                  path_ + ": row " + std::to_string(row) + " (" + printable(ids_[row]) +
                      ") is said to be ok and holds a value that is not finite",
                  kVerify);
    }
  }
  return values;
}

}  // namespace longhaul::score
