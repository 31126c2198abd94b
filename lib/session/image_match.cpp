#include "session/image_match.hpp"

#include <span>
#include <string_view>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "domain/outcome.hpp"
#include "input/image_place.hpp"
#include "store/output_reader.hpp"
#include "store/record_csv.hpp"

namespace longhaul::session {
namespace {

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

}  // namespace

std::optional<std::string> first_other_image(input::RecordReader& reader, Files& files,
                                             const std::string& output, std::uint64_t rows) {
  store::RecordCursor embedded = store::OutputReader(files, output).records();
  for (std::uint64_t row = 0; row < rows; ++row) {
    RecordRow before;
    if (!embedded.next(before)) {
      throw Error(ExitCode::kBadData, embedded.path() + " ends before row " + std::to_string(row),
                  "restore it from a copy, or start anew with --overwrite");
    }
    const std::optional<Record> record = reader.next();
    if (!record || store::csv_value(record->id) != before.id) {
      return "record " + std::to_string(row) + " was " + printable(before.id, 400) +
             ", now it is " + (record ? printable(record->id, 400) : "not there");
    }
    if (before.status == Status::kRejected) {
      continue;
    }
    const auto hash = hash_of_image(files, input::place_from_payload(record->payload));
    if (!hash || *hash != before.hash) {
      return printable(before.id, 400) + (hash ? " has other bytes now" : " cannot be read now");
    }
  }
  return std::nullopt;
}

}  // namespace longhaul::session
