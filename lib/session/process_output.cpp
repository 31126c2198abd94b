#include "session/process_output.hpp"

#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"
#include "session/shard_choices.hpp"
#include "store/embedding_store.hpp"
#include "store/merged_output.hpp"
#include "store/output_reader.hpp"
#include "store/shards.hpp"
#include "store/store_directory.hpp"

namespace longhaul::session {
namespace {

[[noreturn]] void other_count(const std::string& output, std::uint64_t before, std::uint64_t now) {
  throw Error(ExitCode::kMismatch,
              printable(output, 400) + " is divided into " + format_count(before) +
                  " shards, and there would be " + format_count(now) + " processes",
              "give --processes " + std::to_string(before) +
                  " (or as many devices), name another --output, or begin anew with --overwrite");
}

void clear(Files& files, const std::string& output, const std::string& holder) {
  if (files.exists(output)) {
    store::remove_shards(files, output, holder);
    store::open_store(files, output, {.holder = holder, .adopt = {}})->clear();
  }
}

// A run that was killed before its first line holds nothing, and its journal is taken away; beside
// arrays or tables it is refused. Under the lock: one that is just beginning has it.
void remove_empty_journal(Files& files, const std::string& output, const std::string& holder) {
  const auto directory = store::open_store(files, output, {.holder = holder, .adopt = {}});
  if (directory->state()) {
    return;  // it has begun meanwhile
  }
  directory->clear();
}

}  // namespace

ProcessOutput prepare_process_output(Files& files, const config::RunConfig& config,
                                     std::uint64_t count, const std::string& holder) {
  const std::string& output = config.output;
  if (config.overwrite) {
    clear(files, output, holder);
  }
  std::optional<store::StoreState> state = store::read_store_if_begun(files, output);
  if (!state && files.exists(store::path_in(output, store::store_files::kJournal))) {
    remove_empty_journal(files, output, holder);
    state = store::read_store_if_begun(files, output);
  }
  if (state && (state->finish || state->merging)) {
    return {true, {}};  // complete, or a plain session says what is wrong
  }
  if (state) {
    const auto shards = store::merged_shards(*state);
    if (!shards) {
      throw Error(ExitCode::kMismatch,
                  printable(output, 400) + " was begun by one process, and is not finished",
                  "leave out --processes and lists of devices to go on with it, name another "
                  "--output, or begin anew with --overwrite");
    }
    if (*shards != count) {
      other_count(output, *shards, count);
    }
  }
  if (const auto choices = read_shard_choices(files, output); choices && choices->shards != count) {
    other_count(output, choices->shards, count);
  }
  ProcessOutput found;
  for (std::uint64_t index = 1; index <= count; ++index) {
    // A merge that was begun has its word about those that are finished.
    if (const Shard shard{index, count}; !state || !store::is_finished(files, output, shard)) {
      found.shards.push_back(shard);
    }
  }
  return found;
}

void remove_empty_output(Files& files, const std::string& output) {
  for (const std::string& directory : {store::shards_directory(output), output}) {
    try {
      files.remove_directory(directory);
    } catch (const Error&) {
      // Not there, or it holds something: others' work.
    }
  }
}

std::string busy_shard(Files& files, const std::string& output, const std::vector<Shard>& shards) {
  for (const Shard& shard : shards) {
    const std::string holder = store::holder_of(files, store::shard_directory(output, shard));
    if (!holder.empty()) {
      return in_words(shard) + " is in use by " + holder;
    }
  }
  return "";
}

}  // namespace longhaul::session
