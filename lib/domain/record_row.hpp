// What became of a record, as records.csv and rejects.csv tell it. A value; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.hpp"
#include "domain/outcome.hpp"

namespace longhaul {

// One line of records.csv, and of rejects.csv when it was rejected. Line i of records.csv (after
// the header, from 0) is about row i of the arrays; its column "row", and that of rejects.csv,
// holds the record's position in the whole input. In a run of all records the two are one number.
// In a retry's own directory, and in a shard's, the arrays hold the selected records alone, counted
// from 0, and the tables say where they belong in the whole.
struct RecordRow {
  std::uint64_t position = 0;
  std::uint64_t row = 0;
  std::string id;
  std::string source;
  std::uint64_t line = 0;
  Status status = Status::kOk;
  std::uint32_t length = 0;
  bool truncated = false;
  std::uint32_t substituted = 0;
  std::uint32_t gaps = 0;     // removed
  std::uint32_t windows = 0;  // that it was computed in, where it was too long; 0: whole
  Hash128 hash;
  // Of an image: what its file was, in a hash of path, id, size and time (input/image_place.hpp).
  // No table has it.
  std::optional<std::uint64_t> stamp;
  std::optional<std::uint64_t> duplicate_of;  // see LateOutcome
  std::optional<Defect> defect;
  std::vector<std::string> kept;
};

// A record that was accepted when its window was planned and then had no vector, or was found to be
// a duplicate. Carried by commits until its window is complete. Its numbers are rows of the arrays.
// Only a run of all records looks for duplicates, so that `duplicate_of` is a position too.
struct LateOutcome {
  std::uint64_t row = 0;
  Status status = Status::kRejected;
  std::optional<Defect> defect;
  std::optional<std::uint64_t> duplicate_of;
  std::optional<Hash128> hash;  // content hash that was only known late (images)
};

}  // namespace longhaul
