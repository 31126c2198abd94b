// Encodes the parts of one batch whatever memory allows: fewer at a time where they do not fit
// together, a part in pieces where it does not fit alone; rejects a row that does not fit by
// itself, and computes rows that are not finite once more in float32.
// The encoder's thread; borrows all it is given.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/log.hpp"
#include "domain/outcome.hpp"
#include "encode/encoder.hpp"
#include "plan/memory_governor.hpp"
#include "run/encoded_rows.hpp"

namespace longhaul::run {

class BatchEncoder {
 public:
  struct Failure {
    std::uint32_t row = 0;
    Defect defect;
  };
  struct Result {
    EncodedRows rows;               // one per used row of the parts; of no use where it failed
    std::vector<Failure> failures;  // ascending
    // Rows computed in a part of other rows than theirs: for want of memory, and since they were
    // not finite there.
    std::uint64_t reshaped = 0;
    std::uint64_t computed_alone = 0;
    std::uint64_t stayed_not_finite = 0;  // rows, among the failures
  };

  BatchEncoder(encode::Encoder& encoder, std::function<encode::Encoder&()> fp32_fallback,
               plan::MemoryGovernor& governor, Log& log)
      : encoder_(encoder),
        outputs_(encoder.outputs()),
        fp32_fallback_(std::move(fp32_fallback)),
        governor_(governor),
        log_(log) {}

  // A single record that does not fit is rejected, unless as much fitted before: then it is no
  // record's fault, and Error(kMemory) ends the session.
  Result encode(std::span<const encode::HostBatch> parts);

  std::uint64_t out_of_memory_count() const { return out_of_memory_; }
  std::uint64_t not_finite_count() const { return not_finite_; }

 private:
  using Parts = std::span<const encode::HostBatch>;

  // `first` is the place of the parts' first row in the result.
  void encode_parts(Parts parts, std::uint32_t first, Result& result);
  // One part that does not fit whole.
  void encode_in_pieces(const encode::HostBatch& part, std::uint32_t first, Result& result);
  // False when it is rejected.
  bool encode_single(const encode::HostBatch& part, std::uint32_t first, Result& result);
  // False when they ran out of memory.
  bool attempt(Parts parts, std::uint32_t first, Result& result);
  double cost_at_a_time(Parts parts) const;
  void check_finite(const encode::HostBatch& part, std::uint32_t first, Result& result);
  // Nothing where it stays not finite.
  std::optional<encode::EncodedBatch> once_more(const encode::HostBatch& part, std::uint32_t row,
                                                Result& result);
  void require_shape(const encode::EncodedBatch& encoded, const encode::HostBatch& part) const;

  encode::Encoder& encoder_;
  const std::vector<OutputSpec> outputs_;
  std::function<encode::Encoder&()> fp32_fallback_;
  plan::MemoryGovernor& governor_;
  Log& log_;
  std::uint64_t out_of_memory_ = 0;
  std::uint64_t not_finite_ = 0;  // rows, cured or not
  double largest_fitted_ = 0;     // cost
  bool told_of_pieces_ = false;
};

}  // namespace longhaul::run
