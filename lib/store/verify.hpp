// Checks an output directory against itself: exactly one row per record and no gaps, finite where
// ok and NaN where rejected, every row as its checksum says, the text files as the journal's
// commits hashed them, counts equal everywhere. Changes nothing and takes no lock. One thread,
// bounded memory. What is wrong is a finding; an Error is only thrown for what cannot be looked at
// at all (kIo, kMismatch, kUnavailable while a run writes).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::store {

struct Finding {
  std::string where;  // a file, and the row, line or byte in it
  std::string what;
};

struct Verification {
  bool finished = false;
  std::uint64_t committed = 0;  // records, with those of a window that is not complete
  std::uint64_t rows = 0;       // in records.csv: complete windows
  std::uint64_t ok = 0;
  std::uint64_t rejected = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t recomputed = 0;
  std::uint64_t recomputed_equal = 0;  // bit for bit
  double greatest_difference = 0;      // of a recomputed component, as RecomputedRows measures it
  double tolerance = 0;                // that was asked for
  std::vector<Finding> findings;       // the first of them
  std::uint64_t finding_count = 0;

  bool good() const { return finding_count == 0; }
  void add(std::string where, std::string what);
};

struct RecomputedRows {
  // For each row the numbers of each output, in float32; no outputs where it has none now.
  std::vector<std::vector<std::vector<float>>> rows;
  // Greatest difference of a component, in proportion to the vector's values where these exceed 1;
  // 0: the same bits.
  double tolerance = 0;
};

struct VerifySettings {
  bool empty_duplicates = false;  // duplicates have no vector, rather than their original's
  // Embeds these rows (ascending) again; nothing where that cannot be done, which is not for this
  // room to say.
  using Recompute =
      std::function<std::optional<RecomputedRows>(std::span<const std::uint64_t> rows)>;
  Recompute recompute;
  std::uint64_t recompute_rows = 0;
  std::uint64_t seed = 0;
};

Verification verify_store(Files& files, const std::string& path,
                          const VerifySettings& settings = {});

}  // namespace longhaul::store
