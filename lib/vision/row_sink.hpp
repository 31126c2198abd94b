// Where a decoder puts an image: row after row, top to bottom, so that a whole image is held only
// where its format needs it.
// One thread. A decoder that finds the image damaged simply stops; what came before is dropped.
#pragma once

#include <cstdint>

namespace longhaul::vision {

// In pixels.
struct Extent {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
};

// A side of an image that is decoded at a smaller scale: its last pixel may reach over the edge.
constexpr std::uint32_t of_scale(std::uint32_t side, std::uint32_t denominator) {
  return side / denominator + (side % denominator == 0 ? 0 : 1);
}

class RowSink {
 public:
  virtual ~RowSink() = default;
  // Once, before the first row: the size of the image, and what it is divided by where it is
  // decoded at a smaller scale: what comes is of_scale() of it.
  virtual void begin(const Extent& image, std::uint32_t denominator) = 0;
  // `width` pixels of four bytes: red, green, blue, and one that means nothing.
  virtual void row(const std::uint8_t* rgbx) = 0;
};

}  // namespace longhaul::vision
