// How many rows a part has: the one thing, beside its own padded length, that a vector's bits
// depend on.
// Pure functions of the choices a run keeps in its journal; any thread.
//
// Matrix products round differently for different numbers of rows, on processors with matrix units
// at every precision and on GPUs. So a record is always computed in a part of the rows that its
// padded length has, filled with dummies where records are missing; batches, limits, threads and
// kills only decide how many whole parts are in hand.
#pragma once

#include <cstdint>

namespace longhaul::plan {

// To which padded lengths records go: how far apart they are.
enum class Rungs {
  kEights,  // 8 tokens up to 512, 32 up to 2048, 128 above
  // 1 up to 128, and twice as much for each doubling: at most a sixty-fourth is padding. Where
  // parts are rows of their own, so that many lengths fill no parts with dummies.
  kFine,
};

struct RowsPolicy {
  // Sequences: a part has about this many tokens, padding included. 0: parts have `rows_fixed`.
  std::uint64_t part_tokens = 0;
  // Images: a part has this many.
  std::uint32_t rows_fixed = 0;
  Rungs rungs = Rungs::kEights;

  // Rows of a part whose records are padded to `width` tokens: at least one. 0 where both are 0:
  // parts are then whatever batches the records come in (Order::kInput of sequences).
  std::uint32_t rows(std::uint32_t width) const;

  bool operator==(const RowsPolicy&) const = default;
};

// For sequences on a CPU: enough for an operator's own cost not to count, few enough for a core's
// cache and for the dummies of a window's last parts to be few. AntiBERTy in float32 with 1,024 is
// a sixth slower, with 512 a twenty-fifth.
constexpr std::uint64_t kCpuPartTokens = 384;
// By our own products, which cost little to call: a row of its own from 65 tokens on.
constexpr std::uint64_t kOwnPartTokens = 128;
// For sequences on a GPU: enough to fill it.
constexpr std::uint64_t kGpuPartTokens = 8192;
constexpr std::uint32_t kCpuPartImages = 4;
constexpr std::uint32_t kGpuPartImages = 16;

}  // namespace longhaul::plan
