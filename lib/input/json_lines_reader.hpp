// JSON lines: one object per line. Strings are taken as they are; an id or a kept value of another
// type is taken as its JSON text, null or absent is an empty one. Empty lines are passed over.
// The columns are the keys of the objects at the source's beginning.
// One thread at a time. A line that is not JSON, no object, or lacks a string for its sequence is
// a defect; a source that begins with no JSON object at all is Error(kBadData).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "input/line_scanner.hpp"
#include "input/source_reader.hpp"

namespace longhaul::input {

// The fields of one object, in their order; what is inside a field is only checked.
class JsonObject {
 public:
  enum class Kind { kNull, kString, kNumber, kBoolean, kObject, kArray };
  struct Field {
    std::string key;
    Kind kind = Kind::kNull;
    std::string text;  // a string's value; a number or boolean as it was written
  };

  static std::string_view name_of(Kind kind);  // "a number"
  // What is wrong with the line, or nothing. Fields are valid until the next call.
  std::optional<Defect> read(std::string_view line);
  std::span<const Field> fields() const { return {fields_.data(), used_}; }

 private:
  class Events;

  std::vector<Field> fields_;  // the first used_; the others are spare
  std::size_t used_ = 0;
};

class JsonLinesReader : public SourceReader {
 public:
  JsonLinesReader(std::unique_ptr<ByteSource> bytes, const SourceSettings& settings);

  bool next(Record& record) override;
  SourceCursor cursor() const override { return {lines_.byte(), lines_.line_number()}; }
  bool seek(const SourceCursor& cursor) override;
  std::uint64_t stored_bytes_read() const override { return lines_.stored_bytes_read(); }

 private:
  std::vector<std::string> keys_ahead();
  void read_object(Record& record, std::string_view line);
  void take_sequence(Record& record, const JsonObject::Field& field);

  SourceSettings settings_;
  LineScanner lines_;
  JsonObject object_;
  std::string sequence_key_;
  std::optional<std::string> id_key_;
  std::vector<std::string> kept_keys_;
  bool sequence_seen_ = false;
};

}  // namespace longhaul::input
