#include "session/run_begin.hpp"

#include "base/error.hpp"
#include "base/hash.hpp"
#include "input/selection.hpp"

namespace longhaul::session {
namespace {

using nlohmann::json;

template <typename T>
void put(json& object, const char* name, const std::optional<T>& value) {
  if (value) {
    object[name] = *value;
  }
}

template <typename T>
std::optional<T> take(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? std::nullopt : std::optional<T>(found->get<T>());
}

// The times of images, for who restarts the shard where they lie; no part of any proof.
json to_json(const DigestedPart& part) {
  json object = {{"records", part.records}, {"digest", to_hex(part.digest.content)}};
  if (part.digest.times != Hash128{}) {
    object["digest_times"] = to_hex(part.digest.times);
  }
  return object;
}

Hash128 hash_from(const json& text) {
  const auto hash = hash128_from_hex(text.get<std::string>());
  if (!hash) {
    throw Error(ExitCode::kBadData, "the journal holds " + text.dump() + " where a hash belongs");
  }
  return *hash;
}

DigestedPart part_from_json(const json& object) {
  DigestedPart part;
  part.records = object.at("records");
  part.digest.content = hash_from(object.at("digest"));
  if (object.contains("digest_times")) {
    part.digest.times = hash_from(object["digest_times"]);
  }
  return part;
}

}  // namespace

plan::RowsPolicy Choices::rows_policy() const {
  plan::RowsPolicy policy;
  policy.part_tokens = part_tokens.value_or(0);
  policy.rungs = rungs;
  policy.rows_fixed = part_images.value_or(part_rows.value_or(0));
  return policy;
}

json to_json(const Choices& choices) {
  json object = {{"window", choices.window},
                 {"order", to_string(choices.order)},
                 {"device", choices.device},
                 {"threads", choices.threads},
                 {"encoder", choices.encoder}};
  put(object, "part_images", choices.part_images);
  put(object, "group_rows", choices.group_rows);
  put(object, "part_tokens", choices.part_tokens);
  if (choices.rungs == plan::Rungs::kFine) {
    object["rungs"] = "fine";
  }
  put(object, "part_rows", choices.part_rows);
  return object;
}

Choices choices_from_json(const json& object) {
  Choices choices;
  choices.window = object.at("window");
  choices.order =
      from_string<Order>(object.at("order").get_ref<const std::string&>()).value_or(Order::kLength);
  choices.device = object.at("device");
  choices.threads = object.at("threads");
  choices.encoder = object.at("encoder");
  choices.part_images = take<std::uint32_t>(object, "part_images");
  choices.group_rows = take<std::uint32_t>(object, "group_rows");
  choices.part_tokens = take<std::uint64_t>(object, "part_tokens");
  if (object.value("rungs", "") == "fine") {
    choices.rungs = plan::Rungs::kFine;
  }
  choices.part_rows = take<std::uint32_t>(object, "part_rows");
  return choices;
}

json to_json(const IndexIdentity& index) {
  return {{"stretch", index.stretch}, {"records", index.records}, {"digest", to_hex(index.digest)}};
}

IndexIdentity index_identity_from_json(const json& object) {
  return {object.at("stretch"), object.at("records"), hash_from(object.at("digest"))};
}

std::uint64_t dealt_block(const std::optional<IndexIdentity>& index) {
  return index ? index->stretch : input::ShardBlocks::kBlock;
}

json to_json(const RunBegin& begin) {
  json object = {{"format", 1},
                 {"created", begin.created},
                 {"longhaul", begin.versions},
                 {"fingerprint", begin.fingerprint},
                 {"choices", to_json(begin.choices)},
                 {"inputs", begin.inputs},
                 {"kept_columns", begin.kept_columns},
                 {"machine", begin.machine}};
  if (!begin.bits_machine.is_null()) {
    object["bits_machine"] = begin.bits_machine;
  }
  if (begin.retry) {
    object["retry"] = {{"after", begin.retry->after}, {"settings", begin.retry->settings}};
  }
  if (begin.shard) {
    object["shard"] = {{"index", begin.shard->index}, {"count", begin.shard->count}};
  }
  if (begin.index) {
    object["index"] = to_json(*begin.index);
  }
  if (begin.generation > 1) {
    object["generation"] = begin.generation;
  }
  for (const ReusedOutput& output : begin.reuse) {
    object["reuse"].push_back(
        {{"path", output.path}, {"state", output.state}, {"bits_reasons", output.bits_reasons}});
  }
  return object;
}

RunBegin run_begin_from_json(const json& object) {
  RunBegin begin;
  begin.created = object.value("created", "");
  begin.versions = object.value("longhaul", json(nullptr));
  begin.fingerprint = object.at("fingerprint");
  begin.choices = choices_from_json(object.at("choices"));
  begin.inputs = object.at("inputs");
  begin.kept_columns = object.value("kept_columns", std::vector<std::string>());
  begin.machine = object.value("machine", json(nullptr));
  begin.bits_machine = object.value("bits_machine", json(nullptr));
  if (const auto retry = object.find("retry"); retry != object.end()) {
    begin.retry = RetryBegin{retry->at("after"), retry->at("settings")};
  }
  if (const auto shard = object.find("shard"); shard != object.end()) {
    begin.shard = Shard{shard->at("index"), shard->at("count")};
  }
  if (const auto index = object.find("index"); index != object.end()) {
    begin.index = index_identity_from_json(*index);
  }
  begin.generation = object.value("generation", std::uint64_t{1});
  for (const json& output : object.value("reuse", json::array())) {
    begin.reuse.push_back({output.at("path"), output.at("state"),
                           output.at("bits_reasons").get<std::vector<std::string>>()});
  }
  return begin;
}

json to_json(const ShardFinish& finish) {
  return {{"whole", to_json(finish.whole)}, {"own", to_json(finish.own)}};
}

ShardFinish shard_finish_from_json(const json& line) {
  return {part_from_json(line.at("whole")), part_from_json(line.at("own"))};
}

}  // namespace longhaul::session
