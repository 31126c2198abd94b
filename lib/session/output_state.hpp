// What an output directory holds, told from its journal: run.json is only written when a run
// begins and when it ends, so of one that is running or was killed it knows nothing.
// Free functions that read and change nothing; any thread.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/files.hpp"
#include "domain/counters.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::session {

struct OutputState {
  std::string state;              // complete, running, stopped (killed), else what run.json says
  std::string holder;             // of a running one: "process 42 on host since ..."
  nlohmann::json code;            // of a run that ended; else null
  nlohmann::json counts;          // of what is committed, as committed_counts() has them
  nlohmann::json left_out;        // of the input, as far as it is committed
  nlohmann::ordered_json arrays;  // each file of numbers: rows and vectors that are committed, type
  nlohmann::ordered_json report;  // run.json; an empty object when it is not there or damaged
};

// Throws Error(kBadData) when nothing of ours was begun there or the journal is damaged.
OutputState read_output_state(Files& files, const std::string& directory);

// run.json as it would be written now.
nlohmann::ordered_json to_json(const OutputState& output);

// What a commit claims, with the part of the window in hand that is done. The records there are
// counted; their residues and what was done to them are only known once the window is complete:
// "summed_records", where the two differ, says how many records those sums are of.
nlohmann::json committed_counts(const store::Progress& progress);
// The same of a directory's last commit; zeros where none is claimed or it cannot be read.
nlohmann::json committed_counts(Files& files, const std::string& directory);

}  // namespace longhaul::session
