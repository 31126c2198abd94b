// How a sequence longer than the encoder takes is cut: into windows of one length that overlap,
// segments in code, where a window is the records that are read ahead. Each residue is taken from
// one of them.
// Pure functions; any thread.
#pragma once

#include <cstdint>

namespace longhaul::plan {

struct SegmentPolicy {
  std::uint32_t length = 1;   // residues of a segment
  std::uint32_t overlap = 0;  // of each with the next, less than `length`; the last may have more
};

// Residues of the sequence, each range [first, last).
struct Segment {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  // Those that are taken from it: nearer to its middle than to any other's, ties to the earlier.
  // That is where they are farthest from an edge, the sequence's own ends being no edges.
  std::uint32_t own_first = 0;
  std::uint32_t own_last = 0;
};

// 0 for a sequence that needs none.
std::uint32_t segment_count(std::uint32_t residues, const SegmentPolicy& policy);

// Segment `number`, from 0. The last one ends where the sequence does.
Segment segment(std::uint32_t residues, std::uint32_t number, const SegmentPolicy& policy);

}  // namespace longhaul::plan
