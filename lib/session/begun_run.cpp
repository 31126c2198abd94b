#include "session/begun_run.hpp"

#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "input/selected_reader.hpp"
#include "input/selection.hpp"
#include "session/run_identity.hpp"
#include "session/session_checks.hpp"
#include "session/shard_choices.hpp"
#include "store/merged_output.hpp"
#include "store/shards.hpp"
#include "store/store_directory.hpp"

namespace longhaul::session {
namespace {

[[noreturn]] void otherwise_divided(const std::string& output, std::uint64_t shards) {
  throw Error(ExitCode::kMismatch,
              printable(output, 400) + " is divided into " + format_count(shards) + " shards",
              "plan it with --shards " + std::to_string(shards) + ", or name another --output");
}

}  // namespace

std::optional<BegunRun> find_begun_run(Files& files, const std::string& output,
                                       std::uint64_t shards) {
  if (files.kind(output) != PathKind::kDirectory) {
    return std::nullopt;  // a run that makes it says what is in its way
  }
  if (shards > 1) {
    if (auto choices = read_shard_choices(files, output)) {
      if (choices->shards != shards) {
        otherwise_divided(output, choices->shards);
      }
      return BegunRun{std::move(choices->fingerprint), std::move(choices->choices), {}};
    }
    if (!files.exists(store::path_in(output, store::store_files::kJournal))) {
      return std::nullopt;
    }
  } else if (!store::is_output_directory(files, output)) {
    return std::nullopt;
  }
  const std::optional<store::StoreState> state = store::read_store(files, output);
  if (!state) {
    return std::nullopt;
  }
  if (shards > 1) {
    const std::optional<std::uint64_t> merged = store::merged_shards(*state);
    if (!merged) {
      throw Error(ExitCode::kMismatch,
                  printable(output, 400) + " was begun by one process, and the two do not mix",
                  "leave --shards out, or name another --output");
    }
    if (*merged != shards) {
      otherwise_divided(output, *merged);
    }
  }
  const RunBegin begin = run_begin_from_json(state->begin);
  require_no_shard(begin.shard, output);
  return BegunRun{begin.fingerprint, begin.choices, state};
}

void require_begun_input(std::unique_ptr<input::RecordReader> whole, const store::StoreState& state,
                         Files& files, const std::string& output,
                         const std::function<bool()>& stop) {
  const std::optional<store::Progress> end = end_of_input(state);
  if (!end) {
    return;
  }
  auto digested = std::make_unique<input::SelectedReader>(
      std::move(whole), std::make_unique<input::AllRecords>(),
      input::InputDigest::in_form_of(end->input_hash).value());
  if (state.finish) {
    require_same_end(*digested, state, files, output, stop);
    return;
  }
  store::Progress from = *state.progress;
  const InputMatch match = compare_input(recorded_sources(state), *digested);
  find_position(*digested, match, from, files, output, stop);
  if (match == InputMatch::kReadAgain && from.position > 0) {
    std::unique_ptr<input::RecordReader> reader = std::move(digested);
    keep_window(reader, from, output);
  }
}

std::uint64_t bytes_there(Files& files, const std::string& output,
                          const std::map<std::string, std::uint64_t>& names) {
  if (files.kind(output) != PathKind::kDirectory) {
    return 0;
  }
  std::vector<std::string> folders{output};
  for (const Shard& shard : store::list_shards(files, output)) {
    folders.push_back(store::shard_directory(output, shard));
  }
  std::uint64_t bytes = 0;
  for (const std::string& folder : folders) {
    for (const auto& [name, size] : names) {
      for (const std::string& path :
           {store::path_in(folder, name), store::path_in(folder, name) + ".partial"}) {
        bytes += files.exists(path) ? files.open(path, OpenMode::kRead)->size() : 0;
      }
    }
  }
  return bytes;
}

}  // namespace longhaul::session
