// When too many records of a run have vectors that stay not finite: then the device or the model is
// at fault, not the records. One thread.
#pragma once

#include <cstdint>

namespace longhaul::run {

class FiniteShare {
 public:
  // Records that earlier sessions encoded, and those of them that have no vector for this reason.
  FiniteShare(std::uint64_t records, std::uint64_t not_finite)
      : records_(records), not_finite_(not_finite) {}

  // Of one batch. Throws Error(kBadData) where more than 1 % of all, and no fewer than ten, stay
  // not finite.
  void add(std::uint64_t records, std::uint64_t not_finite);

 private:
  std::uint64_t records_;
  std::uint64_t not_finite_;
};

}  // namespace longhaul::run
