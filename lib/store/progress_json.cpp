#include "store/progress_json.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::store {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

Hash128 hash_from(const json& text) {
  const std::optional<Hash128> hash = hash128_from_hex(text.get<std::string>());
  if (!hash) {
    throw Error(ExitCode::kBadData, "the journal holds '" + text.dump() + "' where a hash belongs");
  }
  return *hash;
}

ordered_json to_json(const LateOutcome& late) {
  ordered_json object{{"row", late.row}, {"status", to_string(late.status)}};
  if (late.defect) {
    object["reason"] = to_string(late.defect->reason);
    object["message"] = late.defect->message;
  }
  if (late.duplicate_of) {
    object["duplicate_of"] = *late.duplicate_of;
  }
  if (late.hash) {
    object["hash"] = to_hex(*late.hash);
  }
  return object;
}

// "input", and "input_times" where there are any.
void put_hash(ordered_json& object, const std::string& name, const InputHash& hash) {
  object[name] = to_hex(hash.content);
  if (hash.times != Hash128{}) {
    object[name + "_times"] = to_hex(hash.times);
  }
}

InputHash input_hash_from(const json& object, const std::string& name, int version) {
  InputHash hash;
  hash.form = version == 1 ? DigestForm::kChain : DigestForm::kSum;
  hash.content = hash_from(object.at(name));
  if (object.contains(name + "_times")) {
    hash.times = hash_from(object.at(name + "_times"));
  }
  return hash;
}

template <HasWords E>
E word_from(const json& object, const char* field) {
  const std::optional<E> value = from_string<E>(object.at(field).get<std::string>());
  if (!value) {
    throw Error(ExitCode::kBadData,
                "the journal holds the unknown " + std::string(field) + " " + object[field].dump());
  }
  return *value;
}

// As most are, and as all were: their journals say it in two words.
bool is_single_vector(const StoreLayout& layout) {
  return layout.outputs.size() == 1 && layout.outputs.front().name == OutputSpec{}.name &&
         layout.outputs.front().kind == ArrayKind::kVector;
}

LateOutcome late_from(const json& object) {
  LateOutcome late;
  late.row = object.at("row");
  late.status = word_from<Status>(object, "status");
  if (object.contains("reason")) {
    const std::optional<Reason> reason = reason_from_string(object["reason"].get<std::string>());
    if (!reason) {
      throw Error(ExitCode::kBadData,
                  "the journal holds the unknown reason " + object["reason"].dump());
    }
    late.defect = Defect{*reason, object.at("message")};
  }
  if (object.contains("duplicate_of")) {
    late.duplicate_of = object["duplicate_of"].get<std::uint64_t>();
  }
  if (object.contains("hash")) {
    late.hash = hash_from(object["hash"]);
  }
  return late;
}

}  // namespace

ordered_json to_json(const StoreLayout& layout) {
  ordered_json object;
  if (is_single_vector(layout)) {
    object = {{"dimension", layout.outputs.front().dimension},
              {"dtype", to_string(layout.outputs.front().dtype)}};
  } else {
    for (const OutputSpec& output : layout.outputs) {
      object["outputs"].push_back({{"name", output.name},
                                   {"kind", to_string(output.kind)},
                                   {"dimension", output.dimension},
                                   {"dtype", to_string(output.dtype)}});
    }
  }
  object["kept_columns"] = layout.kept_columns;
  if (layout.later.gaps) {
    object["gaps_column"] = true;
  }
  if (layout.later.windows) {
    object["windows_column"] = true;
  }
  return object;
}

StoreLayout layout_from_json(const json& object) {
  StoreLayout layout;
  if (object.contains("outputs")) {
    for (const json& output : object["outputs"]) {
      layout.outputs.push_back({output.at("name"), word_from<ArrayKind>(output, "kind"),
                                output.at("dimension"), word_from<OutputDtype>(output, "dtype")});
    }
  } else {
    layout = single_vector(object.at("dimension"), word_from<OutputDtype>(object, "dtype"));
  }
  if (layout.outputs.empty()) {
    throw Error(ExitCode::kBadData, "the journal's layout has no output");
  }
  layout.kept_columns = object.at("kept_columns").get<std::vector<std::string>>();
  layout.later = {.gaps = object.value("gaps_column", false),
                  .windows = object.value("windows_column", false)};
  return layout;
}

ordered_json to_json(const Progress& progress) {
  if (!is_utf8(progress.cursor)) {
    throw Error(ExitCode::kInternal, "an input cursor is not UTF-8: " + printable(progress.cursor));
  }
  ordered_json late = ordered_json::array();
  for (const LateOutcome& outcome : progress.late) {
    late.push_back(to_json(outcome));
  }
  ordered_json object{{"window", progress.window},
                      {"start", progress.window_start},
                      {"read", progress.input_records},
                      {"cursor", progress.cursor}};
  put_hash(object, "input", progress.input_hash);
  if (progress.selected_hash != progress.input_hash) {
    put_hash(object, "selected", progress.selected_hash);
  }
  object["position"] = progress.position;
  object["late"] = std::move(late);
  object["counters"] = progress.counters;
  if (progress.window_end && progress.window_end_hash) {
    object["end"] = *progress.window_end;
    put_hash(object, "input_at_end", *progress.window_end_hash);
    object["ends_input"] = progress.window_ends_input;
  }
  return object;
}

Progress progress_from_json(const json& object, int version) {
  Progress progress;
  progress.window = object.at("window");
  progress.window_start = object.at("start");
  progress.input_records =
      version == 1 ? progress.window_start : object.at("read").get<std::uint64_t>();
  progress.cursor = object.at("cursor");
  progress.input_hash = input_hash_from(object, "input", version);
  progress.selected_hash = object.contains("selected")
                               ? input_hash_from(object, "selected", version)
                               : progress.input_hash;
  progress.position = object.at("position");
  for (const json& outcome : object.at("late")) {
    progress.late.push_back(late_from(outcome));
  }
  progress.counters = object.at("counters");
  if (object.contains("end")) {
    progress.window_end = object["end"].get<std::uint64_t>();
    progress.window_end_hash = input_hash_from(object, "input_at_end", version);
    progress.window_ends_input = object.at("ends_input");
  }
  return progress;
}

}  // namespace longhaul::store
