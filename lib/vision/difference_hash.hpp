// The difference hash of an image: brightness, resized to 9x8; each bit says whether a pixel is
// brighter than its left neighbour, row by row, the first bit the highest. Two images with equal
// hashes look alike; they need not be the same.
// One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "vision/resample.hpp"
#include "vision/row_sink.hpp"

namespace longhaul::vision {

class DifferenceHash : public RowSink {
 public:
  void begin(const Extent& image, std::uint32_t denominator) override;
  void row(const std::uint8_t* rgbx) override;
  // After the last row.
  std::uint64_t value();

 private:
  std::optional<Resampler> resampler_;
  std::uint32_t width_ = 0;
  std::vector<std::uint8_t> grey_;  // one row, brightness in the first channel
};

}  // namespace longhaul::vision
