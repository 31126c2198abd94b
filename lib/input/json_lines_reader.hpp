// JSON lines: one object per line. Strings are taken as they are; an id or a kept value of another
// type is taken as its JSON text, null or absent is an empty one. Empty lines are passed over.
// The columns are the keys of the objects at the source's beginning.
// One thread at a time. A line that is not JSON, no object, or lacks a string for its sequence is
// a defect; a source that begins with no JSON object at all is Error(kBadData).
#pragma once

#include <simdjson.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "input/line_scanner.hpp"
#include "input/source_reader.hpp"

namespace longhaul {

class JsonLinesReader : public SourceReader {
 public:
  JsonLinesReader(std::unique_ptr<ByteSource> bytes, const SourceSettings& settings);

  bool next(Record& record) override;
  SourceCursor cursor() const override { return {lines_.byte(), lines_.line_number()}; }
  bool seek(const SourceCursor& cursor) override;
  std::uint64_t stored_bytes_read() const override { return lines_.stored_bytes_read(); }

 private:
  std::vector<std::string> keys_ahead();
  void read_object(Record& record, std::string_view text);
  bool take_value(Record& record, std::string_view text, std::string_view key,
                  const simdjson::dom::element& value);
  std::string as_text(std::string_view text, std::string_view key,
                      const simdjson::dom::element& value);

  SourceSettings settings_;
  LineScanner lines_;
  simdjson::dom::parser parser_;
  simdjson::ondemand::parser text_parser_;
  std::string sequence_key_;
  std::optional<std::string> id_key_;
  bool sequence_seen_ = false;
};

}  // namespace longhaul
