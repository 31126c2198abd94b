// An output directory read back, finished or not: what its journal claims, run.json, the records
// and the arrays. The one way to read one: verify, inspect, probe, a retry's merge and a resumed
// session all go through it. It changes nothing and takes no lock, so of a run that is writing it
// tells what was committed when it was opened. Memory is bounded: cursors and arrays are read in
// blocks. The cursors and arrays it gives outlive it; `files` must outlive them. One thread.
// Errors: kIo, kMismatch (a directory of other things), kBadData (damage) with file, row or line.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/files.hpp"
#include "store/array_reader.hpp"
#include "store/journal_state.hpp"
#include "store/record_cursor.hpp"

namespace longhaul::store {

class OutputReader {
 public:
  // kRequired: what has no journal of ours is an Error(kMismatch). kOptional: files that were
  // copied without one count as a finished run.
  enum class JournalFile { kRequired, kOptional };

  explicit OutputReader(
      Files& files, std::string path, JournalFile journal = JournalFile::kRequired,
      std::string remedy = "restore it from a copy, or start anew with --overwrite");

  const std::string& path() const { return path_; }
  std::string path_of(const std::string& name) const { return path_in(path_, name); }
  bool has(const std::string& name) const { return files_.exists(path_of(name)); }

  // Nothing when nothing was begun here.
  const std::optional<JournalState>& claims() const { return claims_; }
  bool finished() const;
  // Records in complete windows: the lines of records.csv. Of copied files those of the first
  // array.
  std::uint64_t rows() const;
  const StoreLayout& layout() const;

  // run.json; an empty object when it is not there or no object.
  nlohmann::ordered_json run() const;
  // "process 42 on host x since ..." while a run writes; else empty.
  std::string writer() const;

  // Of what is claimed; in a shard's or a retry's directory of a selection. Error(kIo) when the
  // file is not there.
  RecordCursor records() const;
  RejectCursor rejects() const;
  ArrayReader array(std::string_view name) const;  // Error(kUsage) names those there are
  ArrayReader array(const OutputSpec& output) const;
  std::vector<ArrayReader> arrays() const;  // all, in the layout's order
  // Of a run that is not finished, or was killed while it finished, either name may be there.
  std::string array_path(const OutputSpec& output) const;
  ChecksumReader checksums() const;

 private:
  void read_headers();
  bool limited() const;  // to what the journal claims of the tables

  Files& files_;
  std::string path_;
  std::string remedy_;
  std::optional<JournalState> claims_;
  // Of files without a journal:
  std::optional<StoreLayout> copied_;
  std::uint64_t copied_rows_ = 0;
  std::uint64_t header_bytes_ = kNpyHeaderBytes;
  bool float64_ = false;
};

// run.json of a directory; an empty object when it is not there or no object.
nlohmann::ordered_json read_report(Files& files, const std::string& directory);
// Whether run.json is what the run wrote when it finished, as its journal's last line says.
bool report_is_claimed(Files& files, const std::string& directory, const StoreState& finished);

// Who holds the lock of an output, for a message; empty where nobody does.
std::string holder_of(Files& files, const std::string& directory);

}  // namespace longhaul::store
