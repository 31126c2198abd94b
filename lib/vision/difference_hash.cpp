#include "vision/difference_hash.hpp"

namespace longhaul::vision {
namespace {

constexpr std::uint32_t kColumns = 9;
constexpr std::uint32_t kRows = 8;

}  // namespace

void DifferenceHash::begin(const Extent& image, std::uint32_t denominator) {
  width_ = of_scale(image.width, denominator);
  resampler_.emplace(Filter::kLanczos, ResizeWindow{{image.width, denominator},
                                                    {image.height, denominator},
                                                    kColumns,
                                                    kRows,
                                                    0,
                                                    0,
                                                    kColumns,
                                                    kRows});
  grey_.assign(static_cast<std::size_t>(width_) * 4, 0);
}

void DifferenceHash::row(const std::uint8_t* rgbx) {
  for (std::size_t x = 0; x < width_; ++x) {
    const std::uint8_t* pixel = rgbx + x * 4;
    // ITU-R 601 in 16-bit fixed point, as Pillow's convert("L").
    grey_[x * 4] = static_cast<std::uint8_t>(
        (pixel[0] * 19595U + pixel[1] * 38470U + pixel[2] * 7471U + 0x8000U) >> 16);
  }
  resampler_->row(grey_.data());
}

std::uint64_t DifferenceHash::value() {
  std::uint64_t bits = 0;
  for (std::uint32_t y = 0; y < kRows; ++y) {
    const std::uint8_t* line = resampler_->result_row(y);
    for (std::size_t x = 0; x + 1 < kColumns; ++x) {
      bits = bits << 1 | (line[(x + 1) * 4] > line[x * 4] ? 1U : 0U);
    }
  }
  return bits;
}

}  // namespace longhaul::vision
