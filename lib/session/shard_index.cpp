#include "session/shard_index.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "input/indexed_reader.hpp"
#include "input/selected_reader.hpp"
#include "session/shard_choices.hpp"
#include "store/embedding_store.hpp"
#include "store/shards.hpp"
#include "store/store_layout.hpp"

namespace longhaul::session {
namespace {

constexpr const char* kOtherOutput =
    "restore the input and the settings that read it, or index and embed it into another --output";

Error other_input_than(const std::string& name, const std::string& why) {
  return {ExitCode::kMismatch, name + " is of another input: " + why, kOtherOutput};
}

std::string shown(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::map<std::string, std::string> reading_settings(
    const config::RunConfig& config, const std::vector<input::SourceIdentity>& sources) {
  std::map<std::string, std::string> settings;
  for (const char* name :
       {"sequence-column", "id-column", "keep-column", "skip-lines", "delimiter"}) {
    settings[name] = shown(config::find_setting(name)->get(config));
  }
  std::set<std::string> formats;
  for (const input::SourceIdentity& source : sources) {
    formats.insert(source.format);
  }
  settings["format"] = shown(join({formats.begin(), formats.end()}, ", "));
  return settings;
}

std::optional<BegunShards> begun_shards(Files& files, const std::string& output) {
  if (const auto choices = read_shard_choices(files, output)) {
    return BegunShards{choices->index};
  }
  for (const Shard& shard : store::list_shards(files, output)) {
    try {
      const auto state = store::read_store_if_begun(files, store::shard_directory(output, shard));
      if (state) {
        return BegunShards{run_begin_from_json(state->begin).index};
      }
    } catch (const Error& error) {
      if (error.code() != ExitCode::kBadData) {
        throw;
      }
      // Its own command and merging name it; the next one tells as well.
    }
  }
  return std::nullopt;
}

void require_same_reading(const input::IndexHeader& index,
                          const std::map<std::string, std::string>& settings,
                          const std::vector<input::SourceIdentity>& sources,
                          const std::string& name) {
  for (const auto& [setting, value] : settings) {
    const auto before = index.settings.find(setting);
    const std::string was = before == index.settings.end() ? "null" : before->second;
    if (was != value) {
      throw Error(ExitCode::kMismatch,
                  name + " was made with " + setting + " " + was + ", this run has " + value,
                  kOtherOutput);
    }
  }
  if (sources.size() != index.source_bytes.size()) {
    throw other_input_than(name, "it is of " + format_count(index.source_bytes.size()) +
                                     " files, this one of " + format_count(sources.size()));
  }
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (sources[i].size != index.source_bytes[i]) {
      throw other_input_than(name, printable(sources[i].path, 400) + " has " +
                                       format_count(sources[i].size) + " bytes, and had " +
                                       format_count(index.source_bytes[i]));
    }
  }
}

std::vector<std::uint64_t> sizes_of(const std::vector<input::SourceIdentity>& sources) {
  std::vector<std::uint64_t> sizes;
  for (const input::SourceIdentity& source : sources) {
    sizes.push_back(source.size);
  }
  return sizes;
}

std::string index_path(const std::string& output) {
  return store::path_in(output, store::kIndex);
}

std::optional<input::InputIndex> read_output_index(Files& files, const std::string& output) {
  if (!files.exists(index_path(output))) {
    return std::nullopt;
  }
  return input::read_index(files, index_path(output),
                           "make it again: longhaul plan --index with the same model, input and "
                           "settings, and --overwrite");
}

IndexIdentity identity_of(const input::InputIndex& index) {
  return {index.header.stretch, index.records(), index.digest};
}

ShardIndex::ShardIndex(Files& files, const std::string& output)
    : output_(output), index_(read_output_index(files, output)) {}

std::optional<IndexIdentity> ShardIndex::identity() const {
  return index_ ? std::optional(identity_of(*index_)) : std::nullopt;
}

std::optional<std::vector<std::string>> ShardIndex::sha256() const {
  return index_ ? std::optional(index_->sha256) : std::nullopt;
}

void ShardIndex::require(const std::optional<IndexIdentity>& begun) const {
  if (begun == identity()) {
    return;
  }
  const std::string name = printable(output_, 400);
  const std::string path = printable(index_path(output_), 400);
  if (!begun) {
    throw Error(ExitCode::kMismatch,
                "the shards in " + name + " were begun without an index, and there is " + path +
                    " now: the two do not mix",
                "take that file away to go on with them, or remove the folder shards to begin all "
                "of them anew by it");
  }
  if (!index_) {
    throw Error(ExitCode::kMismatch,
                "the shards in " + name + " go by " + path + ", which is missing",
                "make it again: longhaul plan --index with the same model, input and settings");
  }
  throw Error(ExitCode::kMismatch,
              "the shards in " + name + " go by another index than " + path + ": of " +
                  format_count(begun->records) + " records with the digest " +
                  to_hex(begun->digest) + ", and this one is of " +
                  format_count(index_->records()) + " with " + to_hex(index_->digest),
              "restore that index, or remove the folder shards to begin all of them anew by this "
              "one");
}

std::unique_ptr<input::DigestedReader> ShardIndex::reader(
    std::unique_ptr<input::RecordReader> whole, const Shard& shard, const config::RunConfig& config,
    Log* log) const {
  if (!index_) {
    return std::make_unique<input::SelectedReader>(
        std::move(whole), std::make_unique<input::ShardBlocks>(shard.index, shard.count));
  }
  const std::string name = printable(index_path(output_), 400);
  const std::vector<input::SourceIdentity> sources = whole->sources();
  require_same_reading(index_->header, reading_settings(config, sources), sources, name);
  return std::make_unique<input::IndexedReader>(
      std::move(whole), *index_,
      input::ShardBlocks(shard.index, shard.count, index_->header.stretch), name, log);
}

}  // namespace longhaul::session
