// Turns records into what the encoder takes. measure() says early what shape a record has or why it
// has none; assemble() makes a batch late, so that pixels exist only for the batch in hand.
// Both are const and may be called from any thread. Neither throws for a bad record.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.hpp"
#include "domain/outcome.hpp"
#include "domain/record.hpp"
#include "encode/batch.hpp"

namespace longhaul::prepare {

// A record and what measuring it gave.
struct Prepared {
  Record record;             // a sequence's payload is emptied once its tokens are taken
  std::uint32_t length = 0;  // residues that enter the encoder; 0 for images
  std::uint32_t tokens = 0;  // shape: special tokens included; 1 for images
  // Overlapping windows that it is computed in, each of `tokens` tokens; 0: it is computed whole.
  std::uint32_t segments = 0;
  bool truncated = false;
  std::uint32_t substituted = 0;        // characters read as the unknown token or as another letter
  std::uint32_t gaps = 0;               // '-' and '.' that were removed
  bool stop_dropped = false;            // one final '*' was left out
  bool looks_like_nucleotides = false;  // residues that are bases, as no protein has them
  std::vector<std::uint16_t> token_ids;  // sequences: special tokens included, no padding
  Hash128 hash;                          // of the record's content
  std::optional<std::uint64_t>
      likeness;                  // images: equal for pictures that look alike, if asked for
  std::optional<Defect> defect;  // no vector, and why
  // Row of an earlier record whose vector it has, and so is not computed.
  std::optional<std::uint64_t> repeats;
};

// What a row of a batch is of: a record, or one of the segments of a long one.
struct Row {
  Prepared* prepared = nullptr;
  std::uint32_t segment = 0;
};

// The batch, and the records that turned out to have none while it was made.
struct Assembled {
  encode::HostBatch batch;              // used_rows = accepted.size()
  std::vector<std::uint32_t> accepted;  // index into the rows handed in, one per used row
  struct Late {
    std::uint32_t index = 0;  // into the rows handed in
    Defect defect;
  };
  std::vector<Late> rejected;
  struct Duplicate {
    std::uint32_t index = 0;  // into the rows handed in
    std::uint64_t of = 0;     // the row that was seen first
  };
  std::vector<Duplicate> duplicates;
};

class Preprocessor {
 public:
  virtual ~Preprocessor() = default;
  virtual Prepared measure(Record record) const = 0;
  // Gives those of `records` their content's hash that have none yet and no defect, before they are
  // assembled, as far as it can be told: images are read for it.
  virtual void identify(std::span<Prepared>) const {}
  // `width`: padded length in tokens; `filled`: 0, or the fixed number of rows to fill up to.
  // Records may be given a content hash here (images: while decoding).
  virtual Assembled assemble(std::span<const Row> rows, std::uint32_t width,
                             std::uint32_t filled) const = 0;
  // For run.json: what preparing took so far. Null where there is nothing to say.
  virtual nlohmann::json report() const = 0;
};

}  // namespace longhaul::prepare
