// What a run counts, over all its sessions. A value; one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "domain/left_out.hpp"
#include "domain/record_row.hpp"

namespace longhaul {

// Of records that have a vector, where a run takes rows of older outputs.
struct ReuseCounts {
  std::map<std::string, std::uint64_t> taken;  // by the older output, as it was named
  std::uint64_t added = 0;                     // computed, and their id has no row there
  std::uint64_t changed = 0;                   // computed, and their id has one, of another content
  std::uint64_t removed = 0;                   // ids of rows there that the input has no more

  std::uint64_t reused() const;  // all that are taken
  bool any() const { return reused() + added + changed + removed > 0; }
};

struct Counters {
  std::uint64_t records = 0;
  std::uint64_t ok = 0;
  std::uint64_t rejected = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t repeated_ids = 0;  // records whose id occurred before; they are kept by row
  bool repeated_ids_exact = true;  // false: more ids than are remembered, so at least that many
  // Of the records that have a vector:
  std::uint64_t truncated = 0;            // records
  std::uint64_t substituted_records = 0;  // records with a character read as another
  std::uint64_t substituted_characters = 0;
  std::uint64_t gapped_records = 0;  // records of which gaps were removed
  std::uint64_t gaps_removed = 0;
  std::uint64_t windowed = 0;                // records computed in several windows
  std::uint64_t windows = 0;                 // of these
  std::uint64_t stops_dropped = 0;           // records whose final '*' was left out
  std::uint64_t looks_like_nucleotides = 0;  // records, embedded as proteins
  std::uint64_t residues = 0;
  // Vectors computed in other shapes than their own: low bits may differ.
  std::uint64_t reshaped = 0;        // for want of memory
  std::uint64_t computed_alone = 0;  // since they were not finite in their part
  // Records that the encoder gave no numbers for, whatever was tried; of the window in hand too.
  std::uint64_t stayed_not_finite = 0;
  std::map<std::string, std::uint64_t> rejected_by_reason;
  ReuseCounts reuse;
  LeftOut left_out;  // of the input, where it lies before the last record that is counted

  // What records.csv does not tell of a row.
  struct Noticed {
    bool stop_dropped = false;
    bool looks_like_nucleotides = false;
  };
  void add(const RecordRow& row, const Noticed& noticed);
};

// As a commit claims them, with what is done of its window in hand: `late` is of that.
std::uint64_t rejected_so_far(const Counters& counters, std::span<const LateOutcome> late);

nlohmann::json to_json(const Counters& counters);
Counters counters_from_json(const nlohmann::json& json);

}  // namespace longhaul
