#include "export/dataset_names.hpp"

#include <utility>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "export/repeated_key.hpp"

namespace longhaul::export_room {
namespace {

// Above it, files of one dataset a row take minutes to write and to go through.
constexpr std::uint64_t kManyDatasets = 400'000;
constexpr const char* kMatrix = "export with --layout matrix, which needs no names";

std::string key_of(const RecordRow& record, NameKey key) {
  if (key == NameKey::kId) {
    return record.id;
  }
  return record.hash == Hash128{} ? "" : to_hex(record.hash);
}

void require_name(const RecordRow& record, const std::string& key) {
  if (key.empty()) {
    throw Error(
        ExitCode::kBadData,
        "row " + std::to_string(record.position) + " has no id or hash that could name its dataset",
        kMatrix);
  }
}

void require_distinct(const store::OutputReader& output, NameKey key, std::vector<KeyedRow> seen) {
  const auto twice = rows_with_one_key(std::move(seen));
  if (!twice) {
    return;
  }
  throw Error(ExitCode::kBadData,
              "the dataset " +
                  printable(dataset_name(key_of(record_at(output, twice->first), key))) +
                  " would be that of rows " + std::to_string(twice->first) + " and " +
                  std::to_string(twice->second) + ", and a file has one of a name",
              kMatrix);
}

}  // namespace

std::string dataset_name(std::string_view key) {
  if (key == ".") {
    return "%2E";
  }
  std::string name;
  for (const char c : key) {
    name += c == '/' ? std::string("%2F") : std::string(1, c);
  }
  return name;
}

DatasetNames check_dataset_names(const store::OutputReader& output, NameKey key, bool all,
                                 const std::function<void()>& each) {
  DatasetNames names;
  std::vector<KeyedRow> seen;
  store::RecordCursor records = output.records();
  for (RecordRow record; records.next(record);) {
    each();
    if (record.status != Status::kOk && !all) {
      continue;
    }
    const std::string text = key_of(record, key);
    require_name(record, text);
    const std::string name = dataset_name(text);
    ++names.datasets;
    names.changed += name == text ? 0U : 1U;
    seen.push_back({hash128(name), record.position});
  }
  require_distinct(output, key, std::move(seen));
  return names;
}

std::vector<std::string> warnings_of(const DatasetNames& names) {
  std::vector<std::string> warnings;
  if (names.datasets > kManyDatasets) {
    warnings.push_back(format_count(names.datasets) +
                       " datasets in a file are slow to write and to read: --layout matrix makes "
                       "one of them all");
  }
  if (names.changed > 0) {
    warnings.push_back(
        format_count(names.changed) +
        (names.changed == 1 ? " id has a / or is a dot" : " ids have a / or are a dot") +
        ", which are folders to HDF5: the dataset's name has %2F or %2E instead, its "
        "attribute original_id the id");
  }
  return warnings;
}

}  // namespace longhaul::export_room
