// What became of a record, as records.csv and rejects.csv tell it. A value; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.hpp"
#include "domain/outcome.hpp"

namespace longhaul {

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
  std::uint32_t gaps = 0;  // removed
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

}  // namespace longhaul
