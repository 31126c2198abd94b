#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "store/claimed_files.hpp"
#include "store/embedding_store.hpp"
#include "store/journal.hpp"
#include "store/journal_state.hpp"
#include "store/journaled_store.hpp"
#include "store/output_reader.hpp"
#include "store/progress_json.hpp"
#include "store/retry_merge.hpp"
#include "store/shards.hpp"
#include "store/store_directory.hpp"

namespace longhaul::store {
namespace {

// What a run leaves behind beside its arrays; the journal comes into being first and goes last.
constexpr std::array kData{store_files::kRecords, store_files::kRejects, store_files::kReport};
constexpr std::array kOther{store_files::kReportTemporary, store_files::kMemory,
                            store_files::kStamps, store_files::kRecordsNext,
                            store_files::kRejectsNext};

constexpr const char* kAnew = "restore it from a copy, or start anew with --overwrite";

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Of what a run writes and a journal claims, what there is.
std::vector<std::string> data_files(Files& files, const std::string& directory) {
  std::vector<std::string> found;
  for (const std::string& name : files.list(directory)) {
    if (is_array_file(name) ||
        contains(std::vector<std::string>(kData.begin(), kData.end()), name)) {
      found.push_back(name);
    }
  }
  return found;
}

// A journal of ours, also one whose first line was torn by a kill or a power cut.
bool is_our_journal(File& file) {
  std::string start(kJournalStart.size(), '\0');
  start.resize(file.read_at(0, std::as_writable_bytes(std::span(start.data(), start.size()))));
  return kJournalStart.starts_with(start) || start == std::string(start.size(), '\0');
}

class Directory : public StoreDirectory {
 public:
  Directory(Files& files, std::string path, const LockRequest& request)
      : files_(files), path_(std::move(path)), holder_(request.holder) {
    const bool finished = request.finished_needs_none && look_at_finished();
    if (finished && !files_.exists(in(store_files::kLock))) {
      return;
    }
    try {
      acquire(request);
    } catch (const Error&) {
      if (finished) {
        return;  // somebody's, or left by a run that was killed where nothing can be written now
      }
      throw;
    }
    state_.reset();
    try {
      load();
    } catch (const Error& error) {
      if (error.code() != ExitCode::kBadData) {
        throw;
      }
      damage_ = std::current_exception();
    }
  }

  ~Directory() override {
    lock_.reset();
    if (made_ && !begun_) {
      try {
        files_.remove_directory(path_);
      } catch (const Error&) {
        // Somebody else put something there: it stays.
      }
    }
  }

  const std::optional<StoreState>& state() const override {
    if (damage_) {
      std::rethrow_exception(damage_);
    }
    return state_;
  }

  std::unique_ptr<EmbeddingStore> begin(const StoreLayout& layout,
                                        const nlohmann::json& begin_line) override {
    if (state() || begun_) {
      throw Error(ExitCode::kInternal, "begin() in a directory where a run was begun");
    }
    begun_ = true;
    Journal journal(files_.open(in(store_files::kJournal), OpenMode::kCreate), JournalEnd{});
    journal.append("begin", {{"version", kJournalVersion},
                             {"layout", to_json(layout)},
                             {"run", begin_line},
                             {"session", holder_}});  // no two that begin at once write the same
    files_.sync_directory(path_);
    return std::make_unique<JournaledStore>(files_, path_, layout, std::move(journal), FileClaims{},
                                            0);
  }

  std::unique_ptr<EmbeddingStore> resume(const StoreLayout& layout) override {
    if (!state() || state_->finish) {
      throw Error(ExitCode::kInternal, "resume() in a directory without an unfinished run");
    }
    if (layout != state_->layout) {
      throw Error(ExitCode::kMismatch, "the output in " + path_ + " was begun with the layout " +
                                           to_json(state_->layout).dump() + ", not " +
                                           to_json(layout).dump());
    }
    begun_ = true;
    if (state_->progress) {
      claimed().require_unfinished();
    }
    Journal journal(files_.open(in(store_files::kJournal), OpenMode::kReadWrite), end_);
    // Another process that goes on with this run, where locks do not keep it away, finds this line
    // at its next commit, and ends.
    journal.append("note", {{"note", {{"session", holder_}}}});
    claimed().take_names_back();
    return std::make_unique<JournaledStore>(files_, path_, layout, std::move(journal), claims_,
                                            state_->progress ? state_->progress->window_start : 0);
  }

  void clear() override {
    if (!lock_) {
      throw Error(ExitCode::kInternal, "clear() of a directory without its lock");
    }
    discard_retry(files_, path_);
    remove_run_files(files_, path_);
    state_.reset();
    damage_ = nullptr;
    begun_ = false;
  }

  int keep_lock_across_exec() override { return lock_->keep_across_exec(); }

 private:
  std::string in(const char* name) const { return path_in(path_, name); }

  void acquire(const LockRequest& request) {
    for (int attempt = 0;; ++attempt) {
      if (files_.kind(path_) == PathKind::kDirectory) {
        is_output_directory(files_, path_);
      } else {
        files_.make_directory(path_);
        made_ = true;
      }
      try {
        lock_ = lock_output(files_, path_, request);
        return;
      } catch (const Error&) {
        // A run that ended at once may have removed the directory it had made.
        if (attempt == 2 || files_.exists(path_)) {
          throw;
        }
      }
    }
  }

  // What is wrong, or not finished, is looked at again with the lock.
  bool look_at_finished() {
    try {
      if (files_.kind(path_) != PathKind::kDirectory || !is_output_directory(files_, path_)) {
        return false;
      }
      const auto file = files_.open(in(store_files::kJournal), OpenMode::kRead);
      std::optional<JournalState> journal = read_journal(*file, in(store_files::kJournal));
      if (!journal || !journal->run.finish || journal->run.merging) {
        return false;
      }
      take(std::move(*journal));
      claimed().require_finished();
      return true;
    } catch (const Error&) {
      state_.reset();
      return false;
    }
  }

  void take(JournalState journal) {
    state_ = std::move(journal.run);
    claims_ = journal.claims;
    end_ = journal.end;
  }

  // What an earlier version finished is read; what it did not finish stays as it is.
  void require_continuable(const StoreState& state) const {
    if (state.version != kJournalVersion && !state.finish) {
      throw Error(ExitCode::kMismatch,
                  printable(path_, 400) + " was begun by an earlier version of longhaul, whose " +
                      "journal (version " + std::to_string(state.version) +
                      ") cannot be continued by this one",
                  "finish it with that version, or start anew with --overwrite");
    }
  }

  void load() {
    if (!is_output_directory(files_, path_)) {
      return;
    }
    const auto file = files_.open(in(store_files::kJournal), OpenMode::kRead);
    std::optional<JournalState> journal = read_journal(*file, in(store_files::kJournal));
    if (!journal) {
      refuse_orphans();
      return;
    }
    try {
      require_continuable(journal->run);
    } catch (const Error&) {
      damage_ = std::current_exception();
      return;
    }
    if (journal->run.version == kJournalVersion && (journal->run.finish || journal->run.merging)) {
      if (recover_retry(files_, path_)) {
        const auto changed = files_.open(in(store_files::kJournal), OpenMode::kRead);
        journal = read_journal(*changed, in(store_files::kJournal)).value();
      }
    }
    take(std::move(*journal));
    if (state_->finish) {
      claimed().require_finished();
    }
  }

  // Without a first line nothing can have been written: where it was, the journal is damaged.
  void refuse_orphans() {
    const std::vector<std::string> data = data_files(files_, path_);
    if (!data.empty()) {
      throw Error(ExitCode::kBadData,
                  in(store_files::kJournal) + " holds no whole line, and there is " + data.front(),
                  kAnew);
    }
  }

  ClaimedFiles claimed() const { return {files_, path_, state_->layout, claims_}; }

  Files& files_;
  std::string path_;
  std::string holder_;
  std::unique_ptr<FileLock> lock_;
  bool made_ = false;
  bool begun_ = false;
  std::optional<StoreState> state_;
  FileClaims claims_;
  JournalEnd end_;
  std::exception_ptr damage_;
};

}  // namespace

std::unique_ptr<FileLock> lock_output(Files& files, const std::string& directory,
                                      const LockRequest& request) {
  const std::string path = path_in(directory, store_files::kLock);
  if (auto lock = files.lock(path, request.holder, request.adopt)) {
    return lock;
  }
  // Who has just taken it may not have written its name yet.
  std::string holder;
  for (int i = 0; i < 20 && holder.empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(i == 0 ? 0 : 10));
    if (files.kind(path) == PathKind::kFile) {
      holder = read_text(files, path);
    }
  }
  throw Error(ExitCode::kUnavailable,
              "the output directory " + printable(directory, 400) + " is in use by " +
                  (holder.empty() ? "another process" : printable(holder, 400)),
              "wait for it to end, or name another directory");
}

bool is_output_directory(Files& files, const std::string& directory) {
  std::vector<std::string> names = files.list(directory);
  const bool journal = contains(names, store_files::kJournal);
  if (journal) {
    const auto file = files.open(path_in(directory, store_files::kJournal), OpenMode::kRead);
    if (is_our_journal(*file)) {
      return true;
    }
  }
  std::erase(names, store_files::kLock);
  refuse_shards(files, directory, names);
  if (names.empty()) {
    return false;
  }
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 3); ++i) {
    shown.push_back(printable(names[i]));
  }
  throw Error(ExitCode::kMismatch,
              "the output directory " + printable(directory, 400) + " is not empty and not ours" +
                  (journal ? " (its journal.jsonl is not longhaul's)" : "") + ": it holds " +
                  join(shown, ", ") + (names.size() > shown.size() ? ", ..." : ""),
              "name a new or empty directory");
}

bool is_run_file(const std::string& name) {
  const auto in = [&](const auto& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  return is_array_file(name) || in(kData) || in(kOther) || name == store_files::kJournal ||
         name == store_files::kLock || path_in("", name) == retry_directory("");
}

void remove_run_files(Files& files, const std::string& directory) {
  for (const std::string& name : data_files(files, directory)) {
    files.remove(path_in(directory, name));
  }
  for (const char* name : kOther) {
    files.remove(path_in(directory, name));
  }
  files.sync_directory(directory);
  files.remove(path_in(directory, store_files::kJournal));
  files.sync_directory(directory);
}

std::unique_ptr<StoreDirectory> open_store(Files& files, const std::string& path,
                                           const LockRequest& lock) {
  return std::make_unique<Directory>(files, path, lock);
}

void require_known_journal(Files& files, const std::string& path) {
  const std::string name = path_in(path, store_files::kJournal);
  if (!files.exists(name)) {
    return;
  }
  try {
    read_journal(*files.open(name, OpenMode::kRead), name);
  } catch (const Error& error) {
    if (error.code() == ExitCode::kMismatch) {
      throw;
    }
  }
}

std::optional<StoreState> read_store(Files& files, const std::string& path) {
  const OutputReader output(files, path);
  return output.claims() ? std::optional(output.claims()->run) : std::nullopt;
}

std::optional<StoreState> read_store_if_begun(Files& files, const std::string& path) {
  return files.exists(path_in(path, store_files::kJournal)) ? read_store(files, path)
                                                            : std::nullopt;
}

}  // namespace longhaul::store
