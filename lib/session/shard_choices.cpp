#include "session/shard_choices.hpp"

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "store/shards.hpp"
#include "store/store_layout.hpp"

namespace longhaul::session {
namespace {

using nlohmann::json;

// The second has an index, by which those that know only the first must not go.
constexpr int kVersion = 1;
constexpr int kIndexedVersion = 2;

std::string path_of(const std::string& output) {
  return store::path_in(store::shards_directory(output), store::kShardChoices);
}

std::string temporary_of(const std::string& output, const Shard& shard) {
  return store::path_in(
      store::shards_directory(output),
      "choices." + std::to_string(shard.index) + "-of-" + std::to_string(shard.count) + ".tmp");
}

std::string hash_of(const json& object) {
  return to_hex(hash64(object.dump()));
}

Error damaged(const std::string& path, const std::string& why) {
  return {ExitCode::kBadData, printable(path, 400) + " is damaged: " + why,
          "remove that file: the next shard that begins or goes on writes it again"};
}

ShardChoices choices_from_text(const std::string& text, const std::string& path) {
  json object = json::parse(text, nullptr, false);
  if (!object.is_object() || !object.contains("hash")) {
    throw damaged(path, "it is no JSON object with a hash");
  }
  const json hash = object["hash"];
  object.erase("hash");
  if (hash != hash_of(object)) {
    throw damaged(path, "its hash is not that of its content");
  }
  if (const json version = object.value("choices", json());
      version != kVersion && version != kIndexedVersion) {
    throw Error(ExitCode::kMismatch,
                printable(path, 400) + " is of version " + version.dump() +
                    ", and this longhaul knows version " + std::to_string(kIndexedVersion),
                "use the longhaul that made it, or another --output");
  }
  try {
    object["threads"] = 1;
    std::optional<IndexIdentity> index;
    if (object.contains("index")) {
      index = index_identity_from_json(object["index"]);
    }
    return {object.at("shards"), object.at("fingerprint"), choices_from_json(object), index};
  } catch (const json::exception& error) {
    throw damaged(path, error.what());
  }
}

}  // namespace

json to_json(const ShardChoices& choices) {
  json object = to_json(choices.choices);
  object.erase("threads");
  object["device"] = choices.choices.device.substr(0, choices.choices.device.find(':'));
  object["choices"] = choices.index ? kIndexedVersion : kVersion;
  if (choices.index) {
    object["index"] = to_json(*choices.index);
  }
  object["shards"] = choices.shards;
  object["fingerprint"] = choices.fingerprint;
  return object;
}

std::optional<ShardChoices> read_shard_choices(Files& files, const std::string& output) {
  const std::string path = path_of(output);
  if (!files.exists(path)) {
    return std::nullopt;
  }
  return choices_from_text(read_text(files, path), path);
}

ShardChoices settle_shard_choices(Files& files, const std::string& output, const Shard& shard,
                                  const ShardChoices& mine) {
  const std::string temporary = temporary_of(output, shard);
  json object = to_json(mine);
  object["hash"] = hash_of(object);
  {
    const std::unique_ptr<File> file = files.open(temporary, OpenMode::kCreate);
    const std::string text = object.dump(2) + "\n";
    file->truncate(0);
    file->write_at(0, bytes_of(text));
    file->sync();
  }
  files.publish(temporary, path_of(output));
  files.sync_directory(store::shards_directory(output));
  return read_shard_choices(files, output).value();
}

}  // namespace longhaul::session
