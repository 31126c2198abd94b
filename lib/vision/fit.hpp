// Brings an image to what the encoder takes: resized and cropped as torchvision does on Pillow
// images, planes of red, green and blue. Rows are resampled as they arrive, and only what the crop
// keeps is computed, so a large or very long image costs little memory.
// One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "encode/card.hpp"
#include "vision/resample.hpp"
#include "vision/row_sink.hpp"

namespace longhaul::vision {

// The image after the resize, and the window of it that the crop keeps.
struct FitGeometry {
  std::uint64_t width = 0;
  std::uint64_t height = 0;
  std::uint64_t left = 0;
  std::uint64_t top = 0;
};

// torchvision's Resize and CenterCrop: the longer side is int(resize * long / short), the crop's
// offset is rounded half to even, or down. Without a crop both sides become `size`.
FitGeometry fit_geometry(const encode::ImageSpec& spec, std::uint32_t width, std::uint32_t height);

// What a JPEG may be divided by, 1, 2, 4 or 8, so that it still has kScaleMargin times the pixels,
// along both sides, of what it is resized to.
constexpr std::uint32_t kScaleMargin = 2;
std::uint32_t scale_denominator(const encode::ImageSpec& spec, const Extent& image);

class Fit : public RowSink {
 public:
  // Throws Error(kBadData) for a specification that cannot be met.
  explicit Fit(const encode::ImageSpec& spec);

  // The result has the sizes and the crop that the whole image would have, at whatever scale.
  void begin(const Extent& image, std::uint32_t denominator) override;
  void row(const std::uint8_t* rgbx) override;
  // After the last row: 3 x size x size bytes, in the layout that the card names.
  void finish(std::span<std::uint8_t> pixels);
  bool scaled() const { return scaled_; }

 private:
  encode::ImageSpec spec_;
  Filter filter_;
  std::optional<Resampler> resampler_;
  bool scaled_ = false;
};

}  // namespace longhaul::vision
