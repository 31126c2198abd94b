#include "session/resume_scan.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "domain/outcome.hpp"
#include "prepare/image_settings.hpp"

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

void remember_rows(const store::OutputReader& output, prepare::DuplicateFilter::Key key,
                   Compared& compared) {
  store::RejectCursor rejects = output.rejects();
  for (RecordRow reject; rejects.next(reject);) {
    if (is_of_encoding(reject.defect.value().reason)) {
      compared.without_vector.emplace(reject.position, *reject.defect);
    }
  }
  const std::vector<std::string>& kept = output.layout().kept_columns;
  const auto likeness = static_cast<std::size_t>(
      std::find(kept.begin(), kept.end(), prepare::kLikenessColumn) - kept.begin());
  store::RecordCursor records = output.records();
  for (RecordRow record; records.next(record);) {
    if (record.status != Status::kOk && !compared.without_vector.contains(record.row)) {
      continue;
    }
    if (key == prepare::DuplicateFilter::Key::kContent) {
      if (record.hash != Hash128{}) {
        compared.filter.first_of(record.hash, record.row);
      }
    } else if (const auto value = parse_hex(record.kept.at(likeness))) {
      compared.filter.first_of(*value, record.row);
    }
  }
}

void recall_ids(const store::OutputReader& output, run::RepeatedIds& ids) {
  store::RecordCursor records = output.records();
  // Further ones would not be remembered.
  for (RecordRow record; !ids.overflowed() && records.next(record);) {
    ids.repeats(record.id);
  }
}

DuplicateOf first_finder(Compared& compared) {
  return [&filter = compared.filter](const prepare::Prepared& prepared) {
    const std::uint64_t row = prepared.record.row;
    return prepared.likeness ? filter.first_of(*prepared.likeness, row)
                             : filter.first_of(prepared.hash, row);
  };
}

}  // namespace longhaul::session
