#include "session/image_match.hpp"

#include <algorithm>
#include <span>
#include <string_view>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "domain/outcome.hpp"
#include "input/image_place.hpp"
#include "store/record_csv.hpp"

namespace longhaul::session {
namespace {

// Columns that every records.csv begins with.
constexpr std::size_t kId = 1;
constexpr std::size_t kStatus = 3;

// Nothing for what cannot be read.
std::optional<Hash128> hash_of_image(Files& files, const input::ImagePlace& place) {
  try {
    const auto file = files.open(place.path, OpenMode::kRead);
    const std::uint64_t offset = place.stretch ? place.stretch->offset : 0;
    std::string bytes(place.stretch ? place.stretch->size : file->size(), '\0');
    bytes.resize(
        file->read_at(offset, std::as_writable_bytes(std::span(bytes.data(), bytes.size()))));
    return hash128(bytes);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// As it stands in records.csv, without the quotes.
std::string as_written(std::string_view id) {
  std::string text = csv_field(id);
  if (text.empty() || text.front() != '"') {
    return text;
  }
  std::string plain;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    plain += text[i];
    i += text[i] == '"' ? 1U : 0U;
  }
  return plain;
}

}  // namespace

std::optional<std::string> first_other_image(input::RecordReader& reader, Files& files,
                                             const std::string& output, std::uint64_t rows) {
  const std::string path = output + "/records.csv";
  const auto file = files.open(path, OpenMode::kRead);
  store::CsvFile csv(*file, path, file->size());
  const auto header = csv.next().value_or(std::vector<std::string>());
  const auto hash_at =
      static_cast<std::size_t>(std::find(header.begin(), header.end(), "hash") - header.begin());
  for (std::uint64_t row = 0; row < rows; ++row) {
    const auto fields = csv.next();
    if (!fields || fields->size() <= hash_at || parse_count(fields->front()) != row) {
      throw Error(ExitCode::kBadData, path + ", line " + std::to_string(csv.line()) + " is damaged",
                  "restore it from a copy, or start anew with --overwrite");
    }
    const std::string& id = (*fields)[kId];
    const std::optional<Record> record = reader.next();
    if (!record || as_written(record->id) != id) {
      return "record " + std::to_string(row) + " was " + printable(id, 400) + ", now it is " +
             (record ? printable(record->id, 400) : "not there");
    }
    if ((*fields)[kStatus] == to_string(Status::kRejected)) {
      continue;
    }
    const auto hash = hash_of_image(files, input::place_from_payload(record->payload));
    if (!hash || to_hex(*hash) != (*fields)[hash_at]) {
      return printable(id, 400) + (hash ? " has other bytes now" : " cannot be read now");
    }
  }
  return std::nullopt;
}

}  // namespace longhaul::session
