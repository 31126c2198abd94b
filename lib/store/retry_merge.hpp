// A retry embeds the rejected rows of a complete output again: a run of its own, in a directory
// inside the output, whose row k is the output's k-th rejected row; its tables name the rows of the
// output (domain/record_row.hpp). When that run is finished it is merged. An output is as it was
// before until the journal's "retry" line is written, and from then on every start completes the
// merge, so a kill at any moment loses nothing:
//   1. the new records.csv and rejects.csv beside the old ones, synced; likewise arrays of
//   residues,
//      whose rows move when one before them has more (room for one copy)
//   2. the "retry" line: what these will be
//   3. the vectors and their checksums into their rows, synced
//   4. the new files renamed over the old ones, run.json, the "finish" line
//   5. the retry's directory removed
// The caller holds the output's lock; one thread. Throws Error: kIo, or kBadData when the two do
// not fit together.
#pragma once

#include <cstdint>
#include <string>

#include "base/files.hpp"

namespace longhaul::store {

// Directory of the retry, inside the output.
std::string retry_directory(const std::string& output);

// The retry in retry_directory() is finished, nobody has it open, and what it was begun with has
// {"retry": {"after": <StoreState::retries of the output>}}. Its run.json becomes the output's; its
// last line has the exit code ("code") and the output's new "counters".
void merge_retry(Files& files, const std::string& output);

// At the opening of an output: completes a merge that was begun, and removes a retry that was
// merged or holds nothing. True when a merge was completed: the journal has changed.
bool recover_retry(Files& files, const std::string& output);

// Removes the retry's directory and our files in it. An absent one is no error.
void discard_retry(Files& files, const std::string& output);

}  // namespace longhaul::store
