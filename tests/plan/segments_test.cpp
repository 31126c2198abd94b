#include "plan/segments.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>
#include <vector>

using namespace longhaul::plan;

namespace {

std::vector<Segment> segments(std::uint32_t residues, const SegmentPolicy& policy) {
  std::vector<Segment> all;
  for (std::uint32_t i = 0; i < segment_count(residues, policy); ++i) {
    all.push_back(segment(residues, i, policy));
  }
  return all;
}

// How far a residue is from the nearest edge of a segment that lies inside the sequence.
std::uint32_t from_edge(std::uint32_t residue, const Segment& segment, std::uint32_t residues) {
  if (residue < segment.first || residue >= segment.last) {
    return 0;
  }
  constexpr std::uint32_t kFar = std::numeric_limits<std::uint32_t>::max();
  return std::min(segment.first == 0 ? kFar : residue - segment.first + 1,
                  segment.last == residues ? kFar : segment.last - residue);
}

}  // namespace

TEST_CASE("what fits is not cut") {
  CHECK(segment_count(0, {8, 2}) == 0);
  CHECK(segment_count(8, {8, 2}) == 0);
  CHECK(segment_count(9, {8, 2}) == 2);
  CHECK(segment_count(14, {8, 2}) == 2);
  CHECK(segment_count(15, {8, 2}) == 3);
  CHECK(segment_count(35'000, {510, 127}) == 92);
}

TEST_CASE("segments start a step apart, and the last ends with the sequence") {
  const std::vector<Segment> all = segments(17, {8, 2});
  REQUIRE(all.size() == 3);
  CHECK(all[0].first == 0);
  CHECK(all[1].first == 6);
  CHECK(all[2].first == 9);
  CHECK(all[2].last == 17);
}

TEST_CASE("each residue is taken once, from where it is farthest from an edge") {
  for (std::uint32_t length = 1; length <= 9; ++length) {
    for (std::uint32_t overlap = 0; overlap < length; ++overlap) {
      for (std::uint32_t residues = length + 1; residues <= 4 * length + 3; ++residues) {
        const std::vector<Segment> all = segments(residues, {length, overlap});
        CAPTURE(length, overlap, residues);
        REQUIRE(all.front().own_first == 0);
        REQUIRE(all.back().own_last == residues);
        for (std::uint32_t i = 0; i < all.size(); ++i) {
          REQUIRE(all[i].last - all[i].first == length);
          REQUIRE(all[i].own_first < all[i].own_last);
          REQUIRE((i == 0 || all[i].own_first == all[i - 1].own_last));
          for (std::uint32_t r = all[i].own_first; r < all[i].own_last; ++r) {
            const std::uint32_t here = from_edge(r, all[i], residues);
            REQUIRE(here > 0);
            for (std::uint32_t other = 0; other < all.size(); ++other) {
              const std::uint32_t there = from_edge(r, all[other], residues);
              REQUIRE((other < i ? there < here : there <= here));
            }
          }
        }
      }
    }
  }
}

TEST_CASE("the longest of sequences is cut without overflow") {
  constexpr std::uint32_t kResidues = std::numeric_limits<std::uint32_t>::max();
  const SegmentPolicy policy{1022, 255};
  const std::uint32_t count = segment_count(kResidues, policy);
  const Segment last = segment(kResidues, count - 1, policy);
  CHECK(last.last == kResidues);
  CHECK(segment(kResidues, count - 2, policy).own_last == last.own_first);
}
