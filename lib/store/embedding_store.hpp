// The output directory: rows, records, rejects, checksums and the journal that says what of them
// counts. Written by one thread, the writer's. Every failure is an Error(kIo); after one the store
// takes nothing more, and what the journal claims is still true.
//
// Order of a commit: sync the arrays, checksums, records, rejects; then append one journal line and
// sync it. Anything past what the last line claims is cut off when the directory is opened again.
// Order of the finish: sync all, headers, rename, sync the directory, run.json, the journal's last
// line; a run that ended in between does it again. journal.hpp describes the journal.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "domain/input_hash.hpp"
#include "domain/outcome.hpp"
#include "domain/record_row.hpp"
#include "store/store_layout.hpp"

namespace longhaul::store {

// What is done, as one commit claims it. Rows before `window_start` are complete in every file; of
// the window that starts there, the first `position` slots of its order are written.
struct Progress {
  std::uint64_t window = 0;
  std::uint64_t window_start = 0;   // row of the window's first record
  std::uint64_t input_records = 0;  // read of the whole input up to there, selected or not
  std::string cursor;               // InputPosition::cursor there
  InputHash input_hash;             // of those records
  std::uint64_t position = 0;       // slots done of the window's order
  std::vector<LateOutcome> late;    // of this window, since the previous commit
  nlohmann::json counters;          // the run's own, cumulative over sessions
  // What the slots that are done were cut from: the row at which their window ends, and the hash of
  // the input there.
  // Only where `position` is not 0.
  std::optional<std::uint64_t> window_end = {};
  std::optional<InputHash> window_end_hash = {};
  bool window_ends_input = false;  // the input ended before the window was full
  InputHash selected_hash = {};    // of those records of `input_hash` that are the run's own
};

// Version 1 had another hash of the input and local row numbers in a retry's tables: its finished
// outputs are read, its unfinished ones are not continued.
constexpr int kJournalVersion = 2;
constexpr int kOldestJournal = 1;

// What a directory holds, for a run that continues.
struct StoreState {
  int version = 0;       // of its journal: kOldestJournal to kJournalVersion
  nlohmann::json begin;  // what begin() was given: fingerprint, settings, choices
  StoreLayout layout;
  std::vector<nlohmann::json> notes;  // what note() was given, over all sessions
  std::optional<Progress> progress;   // of the last commit; `late` holds all of its window
  std::uint64_t retries = 0;          // of rejected rows that were merged (retry_merge.hpp)
  bool merging = false;               // the last of them not yet: open_store completes it
  std::optional<nlohmann::json>
      finish;  // the last line of a finished run: "rows" and what finish() was given
};

class EmbeddingStore {
 public:
  virtual ~EmbeddingStore() = default;
  virtual const StoreLayout& layout() const = 0;

  // How many residues each row of a window has, from its first row on: none where the record was
  // rejected when the window was planned. Comes before any of these rows is put; of a window that a
  // commit has claimed in part, once more, and must be as it was.
  virtual void place_window(std::uint64_t first_row, std::span<const std::uint32_t> residues) = 0;
  // The numbers of row `row`, which belongs to a window that is not complete, for each output of
  // the layout: one vector of `dimension` float32, or those of all its residues. They are converted
  // to the output's dtype (round to nearest even), and checksummed. False when one is not finite,
  // or not in that dtype (beyond 65504 as fp16): the caller rejects the record as not_finite.
  // Putting a row again replaces it.
  [[nodiscard]] virtual bool put(std::uint64_t row,
                                 std::span<const std::span<const float>> values) = 0;
  // NaN for a row that is not rejected and has no vector all the same (a likeness).
  virtual void put_nan(std::uint64_t row) = 0;
  // What was put before, in this session or an earlier one (a duplicate takes its original's).
  virtual std::vector<std::vector<float>> get(std::uint64_t row) = 0;
  // A window is complete: appends its lines, which follow those of the window before, and writes
  // NaN for the rejected. Every other row was put, or was claimed by the commit that was resumed:
  // one that is not there is an Error(kBadData).
  virtual void complete_window(std::span<const RecordRow> rows) = 0;
  // Makes everything up to `progress` durable. progress.window_start is the number of records
  // completed so far.
  virtual void commit(const Progress& progress) = 0;
  // Of a store that was resumed, before anything is put: takes back what the journal claims of the
  // window in hand. `progress` is that claim with position 0 and without late outcomes.
  virtual void drop_window(const Progress& progress) = 0;
  // A line for the journal that claims nothing: a new session, a machine that differs. Durable when
  // it returns.
  virtual void note(const nlohmann::json& line) = 0;
  // All `rows` are completed and committed: headers, rename, run.json, the journal's last line with
  // the fields of `line` (the exit code). Repeating it is harmless.
  virtual void finish(std::uint64_t rows, const nlohmann::ordered_json& run_report,
                      const nlohmann::json& line) = 0;
  // Replaces run.json atomically without finishing.
  virtual void write_report(const nlohmann::ordered_json& run_report) = 0;
};

// Holds the directory's lock as long as it lives: keep it longer than its EmbeddingStore. One that
// was made by open_store and never begun is removed again.
class StoreDirectory {
 public:
  virtual ~StoreDirectory() = default;
  // Nothing when nothing was begun here. Throws Error(kBadData) when the journal is damaged beyond
  // a torn last line, kMismatch for an unfinished run of an older version; clear() still works
  // then.
  virtual const std::optional<StoreState>& state() const = 0;
  // Starts anew where nothing was begun: writes the journal's first line.
  virtual std::unique_ptr<EmbeddingStore> begin(const StoreLayout& layout,
                                                const nlohmann::json& begin_line) = 0;
  // Continues an unfinished run: cuts every file to what the journal claims. Error(kBadData) when a
  // file is smaller than that, kMismatch when the layout differs.
  virtual std::unique_ptr<EmbeddingStore> resume(const StoreLayout& layout) = 0;
  // Deletes our files, and only them (--overwrite); begin() may follow.
  virtual void clear() = 0;
  // For an exec that continues this run: see LockRequest::adopt.
  virtual int keep_lock_across_exec() = 0;
};

struct LockRequest {
  std::string holder;        // what a second start is told: "process 42 on host x since ..."
  std::optional<int> adopt;  // a descriptor from keep_lock_across_exec, after an exec
  // For who only asks whether a run is finished: one that is, is looked at without the lock and
  // without writing, wherever it lies, but for a lock that a killed run left, which is removed if
  // it can be. The directory then takes no change.
  bool finished_needs_none = false;
};

// Takes the directory's lock, makes the directory when absent, and reads what is there. Errors:
// kUnavailable names the holder of the lock; kMismatch when there are files and no journal of ours;
// kIo when it cannot be written to, or is a file.
std::unique_ptr<StoreDirectory> open_store(Files& files, const std::string& path,
                                           const LockRequest& lock = {});

// What a directory holds, without the lock and changing nothing. Nothing when nothing was begun.
std::optional<StoreState> read_store(Files& files, const std::string& path);
// The same of a directory that may hold other things: nothing where there is no journal.
std::optional<StoreState> read_store_if_begun(Files& files, const std::string& path);

// For who reads an output without its journal: throws Error(kMismatch) where there is one of a
// version that is not known.
void require_known_journal(Files& files, const std::string& path);

}  // namespace longhaul::store
