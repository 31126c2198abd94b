// The output directory: rows, records, rejects, checksums and the journal that says what of them
// counts. Written by one thread, the writer's. Every failure is an Error(kIo); after one the store
// takes nothing more, and what the journal claims is still true.
//
// Order of a commit: sync embeddings, checksums, records, rejects; then append one journal line and
// sync it. Anything past what the last line claims is cut off when the directory is opened again.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/hash.hpp"
#include "base/outcome.hpp"

namespace longhaul {

enum class OutputDtype { kFp32, kFp16 };

struct StoreLayout {
  std::uint32_t dimension = 0;
  OutputDtype dtype = OutputDtype::kFp32;
  std::vector<std::string> kept_columns;
};

// One line of records.csv, and of rejects.csv when it was rejected.
struct RecordRow {
  std::uint64_t row = 0;
  std::string id;
  std::string source;
  std::uint64_t line = 0;
  Status status = Status::kOk;
  std::uint32_t length = 0;
  bool truncated = false;
  std::uint32_t substituted = 0;
  Hash128 hash;
  std::optional<std::uint64_t> duplicate_of;
  std::optional<Defect> defect;
  std::vector<std::string> kept;
};

// A record that was accepted when its window was planned and then had no vector, or was found to be
// a duplicate. Carried by commits until its window is complete.
struct LateOutcome {
  std::uint64_t row = 0;
  Status status = Status::kRejected;
  std::optional<Defect> defect;
  std::optional<std::uint64_t> duplicate_of;
  std::optional<Hash128> hash;  // content hash that was only known late (images)
};

// What is done, as one commit claims it. Rows before `window_start` are complete in every file; of
// the window that starts there, the first `position` slots of its order are written.
struct Progress {
  std::uint64_t window = 0;
  std::uint64_t window_start = 0;  // ordinal of the window's first record
  std::string cursor;              // InputPosition::cursor at window_start
  Hash128 input_hash;              // InputDigest at window_start
  std::uint64_t position = 0;      // slots done of the window's order
  std::vector<LateOutcome> late;   // of this window, since the previous commit
  nlohmann::json counters;         // the run's own, cumulative over sessions
};

// What a directory holds, for a run that continues.
struct StoreState {
  nlohmann::json begin;                  // the journal's first line: fingerprint, settings, choices
  std::optional<Progress> progress;      // of the last commit; `late` holds all of that window
  std::optional<nlohmann::json> finish;  // the last line of a finished run
};

class EmbeddingStore {
 public:
  virtual ~EmbeddingStore() = default;

  // One vector of `dimension` float32 for row `row`; converted to the layout's dtype, checksummed.
  virtual void put_vector(std::uint64_t row, std::span<const float> vector) = 0;
  // The bytes of a row written before (a duplicate takes its original's vector).
  virtual std::vector<float> get_vector(std::uint64_t row) = 0;
  // A window is complete: appends its lines in input order; writes NaN for rows without a vector.
  virtual void complete_window(std::span<const RecordRow> rows) = 0;
  // Makes everything up to `progress` durable.
  virtual void commit(const Progress& progress) = 0;
  // A line for the journal that claims nothing: a new session, a machine that differs.
  virtual void note(const nlohmann::json& line) = 0;
  // All is written: header, rename, run.json, the journal's last line. Repeating it is harmless.
  virtual void finish(std::uint64_t rows, const nlohmann::json& run_report) = 0;
  // Replaces run.json atomically without finishing.
  virtual void write_report(const nlohmann::json& run_report) = 0;
};

// Takes the directory's lock (kUnavailable names the holder), makes it when absent, and reads what
// is there. A directory that is not ours, or damaged beyond a torn last line, is an Error.
class StoreDirectory {
 public:
  virtual ~StoreDirectory() = default;
  // Nothing when the directory is new.
  virtual const std::optional<StoreState>& state() const = 0;
  // Starts anew in an empty directory: writes the journal's first line.
  virtual std::unique_ptr<EmbeddingStore> begin(const StoreLayout& layout,
                                                const nlohmann::json& begin_line) = 0;
  // Continues: cuts every file to what the journal claims.
  virtual std::unique_ptr<EmbeddingStore> resume(const StoreLayout& layout) = 0;
  // Deletes our files, and only them (--overwrite).
  virtual void clear() = 0;
};

std::unique_ptr<StoreDirectory> open_store(Files& files, const std::string& path);

}  // namespace longhaul
