#include "store/shards.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "store/embedding_store.hpp"
#include "store/journal.hpp"

namespace longhaul::store {
namespace {

// A number as we write it, without zeros before it.
std::optional<std::uint64_t> number_from(std::string_view text) {
  const std::optional<std::uint64_t> number = parse_count(text);
  return number && std::to_string(*number) == text ? number : std::nullopt;
}

bool is_temporary(std::string_view name) {
  return name.starts_with("choices.") && name.ends_with(".tmp");
}

void remove_if_empty(Files& files, const std::string& directory) {
  if (files.list(directory).empty()) {
    files.remove_directory(directory);
  }
}

}  // namespace

std::string shards_directory(const std::string& output) {
  return path_in(output, kShards);
}

std::string shard_directory(const std::string& output, const Shard& shard) {
  return path_in(shards_directory(output),
                 std::to_string(shard.index) + "-of-" + std::to_string(shard.count));
}

std::optional<Shard> shard_from_name(std::string_view name) {
  constexpr std::string_view kBetween = "-of-";
  const std::size_t between = name.find(kBetween);
  if (between == std::string_view::npos) {
    return std::nullopt;
  }
  const auto index = number_from(name.substr(0, between));
  const auto count = number_from(name.substr(between + kBetween.size()));
  if (!index || !count || *index < 1 || *index > *count) {
    return std::nullopt;
  }
  return Shard{*index, *count};
}

std::vector<Shard> list_shards(Files& files, const std::string& output) {
  std::vector<Shard> shards;
  const std::string directory = shards_directory(output);
  if (files.kind(directory) != PathKind::kDirectory) {
    return shards;
  }
  for (const std::string& name : files.list(directory)) {
    if (const std::optional<Shard> shard = shard_from_name(name)) {
      shards.push_back(*shard);
    }
  }
  std::sort(shards.begin(), shards.end(), [](const Shard& a, const Shard& b) {
    return a.count != b.count ? a.count < b.count : a.index < b.index;
  });
  return shards;
}

bool is_finished(Files& files, const std::string& output, const Shard& shard) {
  const auto state = read_store_if_begun(files, shard_directory(output, shard));
  return state && state->finish;
}

bool has_shards(Files& files, const std::string& output) {
  return files.exists(path_in(shards_directory(output), kShardChoices)) ||
         !list_shards(files, output).empty();
}

bool has_index(Files& files, const std::string& output) {
  const std::string path = path_in(output, kIndex);
  if (files.kind(path) != PathKind::kFile) {
    return false;
  }
  std::string start(kJournalStart.size(), '\0');
  const std::unique_ptr<File> file = files.open(path, OpenMode::kRead);
  start.resize(file->read_at(0, std::as_writable_bytes(std::span(start.data(), start.size()))));
  return start == kJournalStart;
}

void pass_over_index(Files& files, const std::string& output, std::vector<std::string>& names) {
  std::erase(names, kIndexAside);
  if (has_index(files, output)) {
    std::erase(names, kIndex);
  }
}

void refuse_shards(Files& files, const std::string& directory, std::vector<std::string>& names) {
  pass_over_index(files, directory, names);
  const auto found = std::find(names.begin(), names.end(), kShards);
  if (found == names.end()) {
    return;
  }
  if (has_shards(files, directory)) {
    throw Error(
        ExitCode::kMismatch,
        printable(directory, 400) + " holds shards of an input, which are not merged",
        "go on with --shard, put them together with longhaul merge, or name another directory");
  }
  if (files.kind(shards_directory(directory)) == PathKind::kDirectory &&
      files.list(shards_directory(directory)).empty()) {
    names.erase(found);
  }
}

void require_room_for_shards(Files& files, const std::string& output) {
  if (has_shards(files, output)) {
    return;
  }
  std::vector<std::string> names = files.list(output);
  pass_over_index(files, output, names);
  for (const std::string& name : names) {
    if (name != store_files::kLock && name != kShards) {
      throw Error(ExitCode::kMismatch,
                  "the output directory " + printable(output, 400) +
                      " is not empty and not ours: it holds " + printable(name),
                  "name a new or empty directory");
    }
  }
}

void remove_shards(Files& files, const std::string& output, const std::string& holder) {
  const std::string directory = shards_directory(output);
  for (const Shard& shard : list_shards(files, output)) {
    const std::string path = shard_directory(output, shard);
    open_store(files, path, {.holder = holder, .adopt = {}})->clear();
    remove_if_empty(files, path);
  }
  if (files.kind(directory) != PathKind::kDirectory) {
    return;
  }
  for (const std::string& name : files.list(directory)) {
    if (name == kShardChoices || is_temporary(name)) {
      files.remove(path_in(directory, name));
    }
  }
  remove_if_empty(files, directory);
  files.sync_directory(output);
}

}  // namespace longhaul::store
