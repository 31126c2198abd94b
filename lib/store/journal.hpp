// journal.jsonl: what of an output directory counts. Append-only; one JSON object a line:
//
//   {"crc":"<16 hex digits>","n":<line number from 0>,"kind":"<kind>",...}\n
//
// crc is XXH3-64 of the previous line's crc digits (sixteen zeros before the first line) followed
// by everything after the crc's own `",` up to the newline, so no line can change, move or vanish
// from the middle unseen. Kinds:
//   begin   "version", "layout" (dimension, dtype, columns), "run" (the run's own settings),
//           "session" (who began: no two processes write the same line)
//   commit  "window", "start" (row), "read" (records of the whole input up to there), "cursor",
//           "input" (their hash; "input_times" of images), "selected" (of the run's own alone,
//           where that is another), "position", "late" (outcomes of this
//           window since the last commit), "end", "input_at_end", "ends_input" (of this window,
//           where position is not 0), "counters", "extent" (rows the files hold at least),
//           "arrays" (where an output is of residues: rows and vectors of each output's file),
//           "records" and "rejects" ({"bytes", "hash": of what was added since the last commit})
//   note    "note": claims nothing
//   retry   what the files are once a retry is merged: "extent", "arrays", "records", "rejects" (of
//           whole files), "counters"; follows a finish, and is followed by one (retry_merge.hpp)
//   finish  "rows", "report" (hash of run.json), and what the run adds
//
// Each append is synced before the next, so at most the last line can be torn; a torn line was
// never acknowledged and is cut. Anything else that does not fit is damage: Error(kBadData).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/chained_lines.hpp"
#include "base/files.hpp"

namespace longhaul::store {

struct JournalEnd {
  std::uint64_t bytes = 0;  // of the valid lines
  std::uint64_t lines = 0;
  std::uint64_t last_line_at = 0;  // where the last valid line begins
  std::string crc = std::string(16, '0');
  bool torn = false;  // something after the valid lines
};

struct JournalLine {
  std::uint64_t number = 0;
  std::uint64_t offset = 0;
  std::string_view kind;
  std::string_view text;  // the whole object
};

// Reads a journal from its start in bounded memory. `name` is for messages.
JournalEnd scan_journal(File& file, const std::string& name,
                        const std::function<void(const JournalLine&)>& visit);

// The start of every journal: tells ours from another file of that name.
constexpr std::string_view kJournalStart = kChainedStart;

class Journal {
 public:
  // Appends after `end`; cuts a torn line. The last line is written again and synced first: an
  // earlier process may have ended at a failed sync, with its line in memory only.
  Journal(std::unique_ptr<File> file, const JournalEnd& end);

  // Durable when it returns. `fields` is an object without crc, n and kind.
  void append(std::string_view kind, const nlohmann::ordered_json& fields);
  const JournalEnd& end() const { return end_; }

 private:
  std::unique_ptr<File> file_;
  JournalEnd end_;
};

// Whether the journal at `path` still ends as its one writer left it: where a file system does not
// honour locks, another process may have begun to write there too. Looks at the file by its name.
// Throws Error(kUnavailable).
void require_own_journal(Files& files, const std::string& path, const JournalEnd& end);

// What every run ends with: run.json, then the journal's last line, which says how many rows there
// are and which run.json belongs to them, beside `line`.
void finish_run(Files& files, const std::string& directory, Journal& journal, std::uint64_t rows,
                const std::string& report, nlohmann::ordered_json line);

// run.json of an output, as it stands in the file.
std::string report_text(const nlohmann::ordered_json& run_report);

}  // namespace longhaul::store
