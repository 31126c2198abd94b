#include "input/json_lines_reader.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "input/columns.hpp"

namespace longhaul {
namespace {

constexpr std::size_t kLinesAhead = 1000;
constexpr std::uint64_t kLargeLineBytes = 4ULL << 20;
constexpr std::string_view kJsonBlanks = " \t\r\n";

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kJsonBlanks) == std::string_view::npos;
}

char first_character(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kJsonBlanks);
  return first == std::string_view::npos ? '\0' : text[first];
}

std::string why(simdjson::error_code error) {
  return "not valid JSON: " + std::string(simdjson::error_message(error));
}

std::string_view type_name(const simdjson::dom::element& value) {
  using simdjson::dom::element_type;
  switch (value.type()) {
    case element_type::ARRAY:
      return "an array";
    case element_type::OBJECT:
      return "an object";
    case element_type::STRING:
      return "a string";
    case element_type::BOOL:
      return "true or false";
    case element_type::NULL_VALUE:
      return "null";
    case element_type::INT64:
    case element_type::UINT64:
    case element_type::DOUBLE:
      break;
  }
  return "a number";
}

}  // namespace

JsonLinesReader::JsonLinesReader(std::unique_ptr<ByteSource> bytes, const SourceSettings& settings)
    : settings_(settings),
      lines_(std::move(bytes), settings.name, settings.max_line_bytes, settings.block_bytes) {
  Line line;
  for (std::uint64_t skipped = 0; skipped < settings_.skip_lines && lines_.next(line); ++skipped) {
  }
  const std::vector<std::string> keys = keys_ahead();
  const Columns columns = choose_columns(keys, settings_);
  sequence_key_ = keys[columns.sequence];
  if (columns.id) {
    id_key_ = keys[*columns.id];
  }
}

// Every key of the objects among the first lines.
std::vector<std::string> JsonLinesReader::keys_ahead() {
  std::string_view ahead = lines_.peek(settings_.block_bytes);
  std::vector<std::string> keys;
  bool any_object = false;
  bool any_text = false;
  for (std::size_t line = 0; line < kLinesAhead && !ahead.empty(); ++line) {
    const std::size_t end = std::min(ahead.find_first_of("\r\n"), ahead.size());
    const std::string_view text = ahead.substr(0, end);
    ahead.remove_prefix(std::min(end + 1, ahead.size()));
    simdjson::dom::element value;
    simdjson::dom::object object;
    const bool broken = parser_.parse(text.data(), text.size(), false).get(value) != 0;
    const bool first_text = !any_text && !is_blank(text);
    any_text = any_text || first_text;
    if (first_text && broken && first_character(text) == '[') {
      break;  // an array of objects over many lines: one of them alone on a line proves nothing
    }
    if (broken || value.get_object().get(object)) {
      continue;  // a bad line becomes a defect when it is read
    }
    any_object = true;
    for (const auto field : object) {
      if (std::find(keys.begin(), keys.end(), field.key) == keys.end()) {
        keys.emplace_back(field.key);
      }
    }
  }
  if (!any_object) {
    const bool empty = !any_text;
    throw Error(ExitCode::kBadData,
                printable(settings_.name, 400) + ", from line " +
                    std::to_string(lines_.line_number()) + " (byte " +
                    std::to_string(lines_.byte()) +
                    ") on: " + (empty ? "there is no text" : "no line is a JSON object"),
                empty ? "check that it was written completely"
                      : "JSON lines hold one object per line; check the format");
  }
  return keys;
}

// The JSON text of a value that is no string, as it was written.
std::string JsonLinesReader::as_text(std::string_view text, std::string_view key,
                                     const simdjson::dom::element& value) {
  if (value.is_null()) {
    return "";
  }
  if (!value.is_object() && !value.is_array()) {
    simdjson::ondemand::document document;
    std::string_view raw;
    const simdjson::padded_string_view padded(text.data(), text.size(),
                                              text.size() + LineScanner::kReadablePadding);
    if (!text_parser_.iterate(padded).get(document) &&
        !document.find_field_unordered(key).raw_json_token().get(raw)) {
      return std::string(raw.substr(0, raw.find_last_not_of(kJsonBlanks) + 1));
    }
  }
  return simdjson::minify(value);
}

// False when the key stands in the object a second time and matters.
bool JsonLinesReader::take_value(Record& record, std::string_view text, std::string_view key,
                                 const simdjson::dom::element& value) {
  std::string_view string;
  const bool is_string = !value.get_string().get(string);
  if (key == sequence_key_) {
    if (sequence_seen_) {
      return false;
    }
    sequence_seen_ = true;
    if (is_string) {
      record.payload.assign(string);
    } else if (value.is_null()) {
      record.defect = Defect{Reason::kMissingValue, "'" + printable(key) + "' is null"};
    } else {
      record.defect =
          Defect{Reason::kBadRecord,
                 "'" + printable(key) + "' is " + std::string(type_name(value)) + ", not a string"};
    }
  }
  if (id_key_ == key) {
    record.id = is_string ? std::string(string) : as_text(text, key, value);
  }
  for (std::size_t i = 0; i < settings_.keep_columns.size(); ++i) {
    if (settings_.keep_columns[i] == key) {
      record.kept[i] = is_string ? std::string(string) : as_text(text, key, value);
    }
  }
  return true;
}

void JsonLinesReader::read_object(Record& record, std::string_view text) {
  simdjson::dom::element document;
  if (const auto error = parser_.parse(text.data(), text.size(), false).get(document)) {
    record.defect = error == simdjson::UTF8_ERROR
                        ? Defect{Reason::kNotUtf8, "the line is not UTF-8"}
                        : Defect{Reason::kBadJson, why(error)};
    return;
  }
  simdjson::dom::object object;
  if (document.get_object().get(object)) {
    record.defect = Defect{Reason::kBadRecord,
                           "the line is " + std::string(type_name(document)) + ", not an object"};
    return;
  }
  sequence_seen_ = false;
  for (const auto field : object) {
    if (!take_value(record, text, field.key, field.value)) {
      record.payload.clear();
      record.defect =
          Defect{Reason::kBadRecord, "'" + printable(field.key) + "' stands twice in the object"};
      return;
    }
  }
  if (!sequence_seen_) {
    record.defect = Defect{Reason::kMissingValue, "there is no '" + printable(sequence_key_) + "'"};
  } else if (!record.defect && record.payload.empty()) {
    record.defect = Defect{Reason::kEmpty, "the sequence is empty"};
  }
}

bool JsonLinesReader::next(Record& record) {
  Line line;
  do {
    if (!lines_.next(line)) {
      return false;
    }
  } while (!line.too_long && is_blank(line.text));
  record.line = line.number;
  record.byte = line.byte;
  record.kept.resize(settings_.keep_columns.size());
  for (std::size_t i = 0; i < settings_.listed.size(); ++i) {
    record.kept[i] = settings_.listed[i].value_or("");
  }
  if (line.too_long) {
    record.defect = Defect{Reason::kLineTooLong,
                           "the line is longer than " + format_bytes(settings_.max_line_bytes)};
  } else {
    read_object(record, line.text);
    if (line.size > kLargeLineBytes) {
      // What a parser needs for one large line it would keep for all that follow.
      parser_ = simdjson::dom::parser();
      text_parser_ = simdjson::ondemand::parser();
    }
  }
  return true;
}

bool JsonLinesReader::seek(const SourceCursor& cursor) {
  return lines_.seek(cursor.offset, cursor.line);
}

std::unique_ptr<SourceReader> open_json_lines(std::unique_ptr<ByteSource> bytes,
                                              const SourceSettings& settings) {
  return std::make_unique<JsonLinesReader>(std::move(bytes), settings);
}

}  // namespace longhaul
