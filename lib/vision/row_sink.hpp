// Where a decoder puts an image: row after row, top to bottom, so that a whole image is held only
// where its format needs it.
// One thread. A decoder that finds the image damaged simply stops; what came before is dropped.
#pragma once

#include <cstdint>

namespace longhaul::vision {

class RowSink {
 public:
  virtual ~RowSink() = default;
  // Once, before the first row: the size of the image.
  virtual void begin(std::uint32_t width, std::uint32_t height) = 0;
  // `width` pixels of four bytes: red, green, blue, and one that means nothing.
  virtual void row(const std::uint8_t* rgbx) = 0;
};

}  // namespace longhaul::vision
