#include "input/json_lines_reader.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "input/columns.hpp"

namespace longhaul::input {
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

// Objects and arrays are rare as ids and kept values, so they are parsed again.
std::string as_text(const JsonObject::Field& field, std::string_view line) {
  using Kind = JsonObject::Kind;
  if (field.kind == Kind::kObject || field.kind == Kind::kArray) {
    return nlohmann::json::parse(line.begin(), line.end())[field.key].dump();
  }
  return field.text;
}

// The lines whose keys choose the columns: the first one, and those that end within what was asked
// for. How much lies ahead beyond that depends on how the bytes come, by a file or by a pipe.
std::string_view chosen_by(std::string_view ahead, const SourceSettings& settings) {
  const std::size_t first = std::min(ahead.find_first_of("\r\n"), ahead.size());
  const auto asked = static_cast<std::size_t>(
      std::min<std::uint64_t>(settings.block_bytes, settings.max_line_bytes + 1));
  const std::size_t most = std::max(first + 1, asked);
  return ahead.size() < most ? ahead
                             : ahead.substr(0, ahead.substr(0, most).find_last_of("\r\n") + 1);
}

}  // namespace

JsonLinesReader::JsonLinesReader(std::unique_ptr<ByteSource> bytes, const SourceSettings& settings)
    : settings_(settings),
      lines_(std::move(bytes), settings.name, settings.max_line_bytes, settings.block_bytes) {
  lines_.skip(settings_.skip_lines);
  const std::vector<std::string> keys = keys_ahead();
  const Columns columns = choose_columns(keys, settings_);
  sequence_key_ = keys[columns.sequence];
  if (columns.id) {
    id_key_ = keys[*columns.id];
  }
  for (std::size_t i = 0; i < columns.kept.size(); ++i) {
    const auto column = columns.kept[i];
    kept_keys_.push_back(column ? keys[*column] : settings_.keep_columns[i]);
  }
}

// Every key of the objects among the first lines.
std::vector<std::string> JsonLinesReader::keys_ahead() {
  std::string_view ahead = chosen_by(lines_.peek(settings_.block_bytes), settings_);
  std::vector<std::string> keys;
  bool any_object = false;
  bool any_text = false;
  for (std::size_t line = 0; line < kLinesAhead && !ahead.empty(); ++line) {
    const std::size_t end = std::min(ahead.find_first_of("\r\n"), ahead.size());
    const std::string_view text =
        ahead.substr(0, std::min<std::uint64_t>(end, settings_.max_line_bytes));
    ahead.remove_prefix(std::min(end + 1, ahead.size()));
    const auto defect = object_.read(text);
    const bool first_text = !any_text && !is_blank(text);
    any_text = any_text || first_text;
    if (first_text && defect && first_character(text) == '[' &&
        defect->reason == Reason::kBadJson) {
      break;  // an array of objects over many lines: one of them alone on a line proves nothing
    }
    if (defect) {
      continue;  // a bad line becomes a defect when it is read
    }
    any_object = true;
    for (const auto& field : object_.fields()) {
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

void JsonLinesReader::take_sequence(Record& record, const JsonObject::Field& field) {
  using Kind = JsonObject::Kind;
  const std::string named = "'" + printable(sequence_key_) + "'";
  if (sequence_seen_) {
    record.payload.clear();
    record.defect = Defect{Reason::kBadRecord, named + " stands twice in the object"};
  } else if (field.kind == Kind::kString) {
    record.payload.assign(field.text);
    // JSON has null for what is missing, so a string is a string, as pandas reads it.
    if (is_odd_word(record.payload)) {
      note_odd_word(settings_.notes, record.payload,
                    printable(settings_.name, 400) + ", line " + std::to_string(record.line),
                    "write null without quotes");
    }
  } else if (field.kind == Kind::kNull) {
    record.defect = Defect{Reason::kMissingValue, named + " is null"};
  } else {
    record.defect =
        Defect{Reason::kBadRecord,
               named + " is " + std::string(JsonObject::name_of(field.kind)) + ", not a string"};
  }
  sequence_seen_ = true;
}

void JsonLinesReader::read_object(Record& record, std::string_view line) {
  record.defect = object_.read(line);
  if (record.defect) {
    return;
  }
  sequence_seen_ = false;
  for (const auto& field : object_.fields()) {
    if (field.key == sequence_key_) {
      take_sequence(record, field);
    }
    if (id_key_ == field.key) {
      record.id = as_text(field, line);
    }
    for (std::size_t i = 0; i < kept_keys_.size(); ++i) {
      if (kept_keys_[i] == field.key) {
        record.kept[i] = as_text(field, line);
      }
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
      object_ = JsonObject();  // which would keep the memory of its longest fields
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

}  // namespace longhaul::input
