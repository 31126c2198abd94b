#include "plan/segments.hpp"

#include <algorithm>

namespace longhaul::plan {
namespace {

std::uint32_t start_of(std::uint32_t residues, std::uint32_t number, const SegmentPolicy& policy) {
  const std::uint64_t start = std::uint64_t{number} * (policy.length - policy.overlap);
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(start, std::uint64_t{residues} - policy.length));
}

}  // namespace

std::uint32_t segment_count(std::uint32_t residues, const SegmentPolicy& policy) {
  if (residues <= policy.length) {
    return 0;
  }
  const std::uint32_t step = policy.length - policy.overlap;
  return (residues - policy.length - 1) / step + 2;
}

Segment segment(std::uint32_t residues, std::uint32_t number, const SegmentPolicy& policy) {
  const std::uint32_t last = segment_count(residues, policy) - 1;
  Segment found;
  found.first = start_of(residues, number, policy);
  found.last = found.first + policy.length;
  // Behind the residues as near to the middle of segment i as to that of the next.
  const auto end_of_own = [&](std::uint32_t i) {
    const std::uint64_t ends = std::uint64_t{start_of(residues, i, policy)} + policy.length - 1 +
                               start_of(residues, i + 1, policy);
    return static_cast<std::uint32_t>(ends / 2 + 1);
  };
  found.own_first = number == 0 ? 0 : end_of_own(number - 1);
  found.own_last = number == last ? residues : end_of_own(number);
  return found;
}

}  // namespace longhaul::plan
