#include "session/resume_scan.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "domain/outcome.hpp"
#include "prepare/image_settings.hpp"
#include "store/record_csv.hpp"

namespace longhaul::session {
namespace {

std::optional<std::uint64_t> parse_hex(const std::string& text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, 16);
  return error == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

}  // namespace

prepare::DuplicateFilter::Key duplicate_key(const config::RunConfig& config) {
  return config.skip_duplicates == SkipDuplicates::kDhash ? prepare::DuplicateFilter::Key::kLikeness
                                                          : prepare::DuplicateFilter::Key::kContent;
}

std::vector<std::string> output_columns(const config::RunConfig& config,
                                        const input::RecordReader& reader) {
  std::vector<std::string> columns = reader.kept_columns();
  if (config.skip_duplicates == SkipDuplicates::kDhash) {
    if (std::find(columns.begin(), columns.end(), prepare::kLikenessColumn) != columns.end()) {
      throw Error(
          ExitCode::kUsage,
          std::string("--skip-duplicates dhash writes a column ") + prepare::kLikenessColumn,
          "give the kept column of that name another");
    }
    columns.emplace_back(prepare::kLikenessColumn);
  }
  return columns;
}

void remember_rows(Files& files, const std::string& output, prepare::DuplicateFilter::Key key,
                   prepare::DuplicateFilter& filter) {
  const std::string path = output + "/records.csv";
  const auto file = files.open(path, OpenMode::kRead);
  store::CsvFile csv(*file, path, file->size());
  const std::vector<std::string> header = csv.next().value_or(std::vector<std::string>());
  const std::string wanted =
      key == prepare::DuplicateFilter::Key::kContent ? "hash" : prepare::kLikenessColumn;
  const auto column = [&](const std::string& name) {
    const auto found = std::find(header.begin(), header.end(), name);
    if (found == header.end()) {
      throw Error(ExitCode::kBadData, path + " has no column " + name,
                  "start anew with --overwrite");
    }
    return static_cast<std::size_t>(found - header.begin());
  };
  const std::size_t key_at = column(wanted);
  const std::size_t status_at = column("status");
  while (const auto fields = csv.next()) {
    const auto row = fields->size() == header.size() ? parse_count(fields->front()) : std::nullopt;
    if (!row) {
      throw Error(ExitCode::kBadData, path + ", line " + std::to_string(csv.line()) + " is damaged",
                  "start anew with --overwrite");
    }
    if ((*fields)[status_at] != to_string(Status::kOk)) {
      continue;
    }
    if (key == prepare::DuplicateFilter::Key::kContent) {
      if (const auto hash = hash128_from_hex((*fields)[key_at])) {
        filter.first_of(*hash, *row);
      }
    } else if (const auto likeness = parse_hex((*fields)[key_at])) {
      filter.first_of(*likeness, *row);
    }
  }
}

void recall_ids(Files& files, const std::string& output, std::uint64_t bytes,
                run::RepeatedIds& ids) {
  const std::string path = output + "/records.csv";
  const auto file = files.open(path, OpenMode::kRead);
  store::CsvFile csv(*file, path, bytes);
  csv.next();
  while (const auto fields = csv.next()) {
    if (ids.overflowed()) {
      return;  // further ones would not be remembered
    }
    if (fields->size() > 1) {
      ids.repeats((*fields)[1]);
    }
  }
}

DuplicateOf first_finder(prepare::DuplicateFilter& filter) {
  return [&filter](const prepare::Prepared& prepared) {
    const std::uint64_t row = prepared.record.row;
    return prepared.likeness ? filter.first_of(*prepared.likeness, row)
                             : filter.first_of(prepared.hash, row);
  };
}

}  // namespace longhaul::session
