#include "score/run_directory.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::score {
namespace {

constexpr const char* kVerify = "run longhaul verify on it";

// Errors that say what to name instead, before anything is read.
store::OutputReader open_finished(Files& files, const std::string& path) {
  if (files.kind(path) != PathKind::kDirectory) {
    throw Error(ExitCode::kBadData, path + " is not an output directory",
                "name the --output of a longhaul embed run");
  }
  const auto has = [&](const char* name) { return files.exists(store::path_in(path, name)); };
  const bool begun = has(store::store_files::kJournal);
  const bool told = has(store::store_files::kReport);
  if (!begun && !(told && has(store::store_files::kEmbeddings))) {
    throw Error(ExitCode::kBadData, path + " is not an output directory of longhaul embed",
                "name the --output of a longhaul embed run");
  }
  store::OutputReader output(files, path, store::OutputReader::JournalFile::kOptional, kVerify);
  if (!output.finished()) {
    throw Error(ExitCode::kBadData, path + " holds a run that is not finished",
                "give the same embed command again: it continues");
  }
  if (!told) {
    throw Error(ExitCode::kBadData, path + " has no run.json, which says what made its vectors",
                "restore it from a copy, or embed again with --overwrite");
  }
  const std::vector<OutputSpec>& arrays = output.layout().outputs;
  if (std::none_of(arrays.begin(), arrays.end(),
                   [](const OutputSpec& array) { return array.name == OutputSpec{}.name; })) {
    throw Error(ExitCode::kBadData,
                path + " holds the vectors of residues alone (--pooling none), not one a record",
                "embed into another --output with a --pooling that gives one");
  }
  return output;
}

}  // namespace

RunDirectory::RunDirectory(Files& files, const std::string& path)
    : files_(files),
      output_(open_finished(files, path)),
      vectors_(output_.array(OutputSpec{}.name)),
      sums_(output_) {
  report_ = output_.run();
  if (report_.empty()) {
    throw Error(ExitCode::kBadData, output_.path_of(store::store_files::kReport) + " is damaged",
                kVerify);
  }
  read_records();
  if (output_.claims()) {
    vectors_.require_header(output_.rows());
  }
}

void RunDirectory::read_records() {
  store::RecordCursor records = output_.records();
  for (RecordRow record; records.next(record);) {
    ids_.push_back(std::move(record.id));
    statuses_.push_back(record.status);
  }
  if (ids_.size() != output_.rows()) {
    throw Error(ExitCode::kBadData,
                vectors_.path() + " does not have one vector for each of the " +
                    format_count(ids_.size()) + " records in records.csv",
                kVerify);
  }
}

nlohmann::json RunDirectory::origin() const {
  nlohmann::json origin = {{"dimension", dimension()}};
  const auto copy = [&](const nlohmann::json& from, const char* field, const char* as) {
    if (from.is_object() && from.contains(field)) {
      origin[as] = from.at(field);
    }
  };
  const auto part = [&](const char* name) { return report_.value(name, nlohmann::json::object()); };
  for (const char* field : {"model_sha256", "card_sha256", "pooling", "normalize", "dtype"}) {
    copy(part("fingerprint"), field, field);
  }
  // Of several layers the first one's vectors are embeddings.npy.
  const nlohmann::json layers = part("fingerprint").value("layer", nlohmann::json::array());
  if (!layers.empty()) {
    origin["layer"] = layers.front();
  }
  copy(part("card"), "name", "card");
  return origin;
}

CsvReader RunDirectory::table() const {
  return store::open_own_table(files_, output_.path_of(store::store_files::kRecords), kVerify);
}

std::vector<std::string> RunDirectory::columns() const {
  return table().columns();
}

std::optional<std::vector<std::string>> RunDirectory::column(std::string_view name) const {
  CsvReader records = table();
  const std::optional<std::size_t> at = records.find(name);
  if (!at) {
    return std::nullopt;
  }
  std::vector<std::string> values;
  values.reserve(rows());
  while (records.next()) {
    values.emplace_back(records.field(*at));
  }
  return values;
}

std::vector<double> RunDirectory::vectors(std::span<const std::size_t> rows) {
  std::vector<double> values;
  values.reserve(rows.size() * dimension());
  for (const std::size_t row : rows) {
    if (const std::optional<store::RowFault> fault = sums_.fault(row)) {
      throw Error(
          ExitCode::kBadData, printable(fault->where, 400) + ' ' + fault->what,
          "run longhaul verify on it, and restore it from a copy or embed again with --overwrite");
    }
    const std::span<const float> vector = vectors_.row(row);
    if (!std::all_of(vector.begin(), vector.end(), [](float x) { return std::isfinite(x); })) {
      throw Error(ExitCode::kBadData,
                  path() + ": row " + std::to_string(row) + " (" + printable(ids_[row]) +
                      ") is said to be ok and holds a value that is not finite",
                  kVerify);
    }
    values.insert(values.end(), vector.begin(), vector.end());
  }
  return values;
}

}  // namespace longhaul::score
