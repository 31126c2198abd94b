#include "store/next_output.hpp"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"
#include "store/journal_state.hpp"
#include "store/output_reader.hpp"
#include "store/retry_merge.hpp"
#include "store/store_directory.hpp"

namespace longhaul::store {
namespace {

// OUT while its two renames are under way.
std::string aside(const std::string& output) {
  return output + ".replaced";
}

// Nothing where there is no journal of ours, or not a whole line of it.
std::optional<JournalState> journal_of(Files& files, const std::string& directory) {
  const std::string path = path_in(directory, store_files::kJournal);
  if (!files.exists(path)) {
    return std::nullopt;
  }
  return read_journal(*files.open(path, OpenMode::kRead), path);
}

bool follows(const JournalState& next, const JournalState& output) {
  const nlohmann::json reuse = next.run.begin.value("reuse", nlohmann::json::array());
  return next.run.begin.contains("generation") && !reuse.empty() &&
         reuse.front().value("state", "") == output.end.crc;
}

// What NFS calls a file that is open and has no name any more.
bool is_nobodys(const std::string& name) {
  return name.starts_with(".nfs");
}

// Of the files that look like arrays only those that the run has.
bool is_of_run(const StoreLayout& layout, const std::string& name) {
  return is_run_file(name) &&
         (!is_array_file(name) || name.starts_with(store_files::kChecksums) ||
          std::any_of(layout.outputs.begin(), layout.outputs.end(), [&](const OutputSpec& output) {
            return name.starts_with(array_file(output)) || name.starts_with(offsets_file(output));
          }));
}

// The exchange was done: the old generation lies where the next one was made. The caller has its
// lock.
void clear_replaced(Files& files, const std::string& output, const std::string& old) {
  const std::optional<JournalState> journal = journal_of(files, old);
  for (const std::string& name : files.list(old)) {
    if ((journal ? is_of_run(journal->run.layout, name) : is_run_file(name)) || is_nobodys(name)) {
      continue;
    }
    if (files.exists(path_in(output, name))) {
      throw Error(ExitCode::kIo,
                  printable(old, 400) + " and " + printable(output, 400) + " both hold " +
                      printable(name, 400) + ", which is not longhaul's",
                  "take one of the two away, and give the same command again");
    }
    files.rename(path_in(old, name), path_in(output, name));
  }
  files.sync_directory(output);
  discard_retry(files, old);
  remove_run_files(files, old);
  files.remove(path_in(old, store_files::kLock));
}

void require_nobody(Files& files, const std::string& directory) {
  if (const std::string holder = holder_of(files, directory); !holder.empty()) {
    throw Error(ExitCode::kUnavailable,
                "the output directory " + printable(directory, 400) + " is in use by " + holder,
                "wait for it to end");
  }
}

// What a process left that was killed before it wrote there, or when all but this was gone. More
// than a lock is for who opens it.
void remove_remains(Files& files, const std::string& next, const std::vector<std::string>& names) {
  if (names.size() > 1 || (names.size() == 1 && names.front() != store_files::kLock) ||
      !holder_of(files, next).empty()) {
    return;
  }
  files.remove(path_in(next, store_files::kLock));
  files.remove_directory(next);
}

}  // namespace

std::string next_directory(const std::string& output) {
  return output + ".update";
}

bool follows_output(Files& files, const std::string& next, const std::string& output) {
  const auto new_one = journal_of(files, next);
  const auto old_one = journal_of(files, output);
  return new_one && old_one && follows(*new_one, *old_one);
}

void exchange_outputs(Files& files, const std::string& output, const std::string& next) {
  if (!files.exchange(next, output)) {
    files.rename(output, aside(output));
    files.rename(next, output);
    files.rename(aside(output), next);
  }
  files.sync_directory(parent_directory(output));
  clear_replaced(files, output, next);
}

void remove_emptied(Files& files, const std::string& next) {
  try {
    files.remove_directory(next);
  } catch (const Error&) {
    return;
  }
  files.sync_directory(parent_directory(next));
}

void finish_exchange(Files& files, const std::string& output, const std::string& holder) {
  const std::string next = next_directory(output);
  const std::string old = aside(output);
  if (files.kind(old) == PathKind::kDirectory && !files.exists(output) &&
      follows_output(files, next, old)) {
    require_nobody(files, old);
    files.rename(next, output);
  }
  if (files.kind(old) == PathKind::kDirectory && !files.exists(next) &&
      follows_output(files, output, old)) {
    require_nobody(files, old);
    files.rename(old, next);
    files.sync_directory(parent_directory(output));
  }
  if (files.kind(next) != PathKind::kDirectory) {
    return;
  }
  if (files.kind(output) == PathKind::kDirectory && follows_output(files, output, next)) {
    if (const auto lock = lock_output(files, next, {.holder = holder, .adopt = {}});
        follows_output(files, output, next)) {
      clear_replaced(files, output, next);
    }
    remove_emptied(files, next);
    return;
  }
  const std::optional<JournalState> made = journal_of(files, next);
  if (!made) {
    const std::vector<std::string> names = files.list(next);
    if (std::all_of(names.begin(), names.end(), [](const std::string& name) {
          return is_run_file(name) || is_nobodys(name);
        })) {
      remove_remains(files, next, names);
      return;
    }
    throw Error(ExitCode::kMismatch,
                printable(next, 400) + " holds " + printable(names.front()) +
                    ", and --update needs that name",
                "move it away, and give the same command again");
  }
  if (!made->run.begin.contains("generation")) {
    throw Error(ExitCode::kMismatch,
                printable(next, 400) + " is an output of its own, and --update needs that name",
                "move it away, and give the same command again");
  }
  if (made->run.finish && follows_output(files, next, output)) {
    require_nobody(files, next);
    // Another start may have exchanged them meanwhile: this is then the lock of the new one.
    if (const auto lock = lock_output(files, output, {.holder = holder, .adopt = {}});
        follows_output(files, next, output)) {
      exchange_outputs(files, output, next);
    }
    remove_emptied(files, next);
  }
}

}  // namespace longhaul::store
