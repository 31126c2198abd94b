// What became of one record: its status, and the reason when it was rejected.
// Values only; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "domain/words.hpp"

namespace longhaul {

enum class Status : std::uint8_t { kOk, kRejected, kDuplicate };
template <>
struct Words<Status> {
  static constexpr Word<Status> all[] = {
      {"ok", Status::kOk}, {"rejected", Status::kRejected}, {"duplicate", Status::kDuplicate}};
};

// Why a record has no vector. The spelling in rejects.csv is to_string's.
enum class Reason : std::uint8_t {
  kEmpty,             // empty: no residues, or a file of no bytes
  kInvalidCharacter,  // invalid_character: outside the model's alphabet
  kTooLong,           // too_long: more tokens than --max-length allows
  kNotUtf8,           // not_utf8
  kMissingValue,      // missing_value: the sequence column is absent or null in this record
  kWrongFieldCount,   // wrong_field_count
  kLineTooLong,       // line_too_long: over 64 MiB
  kBadJson,           // bad_json
  kBadRecord,         // bad_record: text that belongs to no record
  kTruncated,         // truncated: an image cut short, bytes are missing
  kDamaged,           // damaged: an image whose bytes are wrong
  kNotAnImage,        // not_an_image
  kTooManyPixels,     // too_many_pixels
  kUnsupported,       // unsupported: an image kind that cannot be decoded here
  kUnreadable,        // unreadable: the file could not be opened or read
  kOutOfMemory,       // out_of_memory: does not fit even alone
  kNotFinite,         // not_finite: the encoder gave NaN or infinity, again in float32
};
std::string_view to_string(Reason reason);
std::optional<Reason> reason_from_string(std::string_view text);
// Whether it is of a record that was encoded, or was to be: nothing is wrong with the record
// itself.
constexpr bool is_of_encoding(Reason reason) {
  return reason == Reason::kOutOfMemory || reason == Reason::kNotFinite;
}
// What a user can do about it, as half a sentence. What changes the input or the numbers needs an
// output of its own, and what_to_do() adds that where a remedy does not name --retry-rejects.
std::string_view remedy(Reason reason);

struct Defect {
  Reason reason{};
  std::string message;      // names the offending character, length, field count...
  std::string remedy = {};  // where the reason's own does not help
};
std::string_view remedy(const Defect& defect);
std::string what_to_do(const Defect& defect);

}  // namespace longhaul
