#include "vision/difference_hash.hpp"

#include <array>

namespace longhaul {
namespace {

constexpr std::uint32_t kColumns = 9;
constexpr std::uint32_t kRows = 8;
constexpr std::size_t kRowBytes = std::size_t{kColumns} * 4;

}  // namespace

void DifferenceHash::begin(std::uint32_t width, std::uint32_t height) {
  width_ = width;
  columns_ = make_taps(Filter::kLanczos, width, kColumns, 0, kColumns);
  rows_ = make_taps(Filter::kLanczos, height, kRows, 0, kRows);
  grey_.assign(static_cast<std::size_t>(width) * 4, 0);
  narrowed_.clear();
}

void DifferenceHash::row(const std::uint8_t* rgbx) {
  for (std::size_t x = 0; x < width_; ++x) {
    const std::uint8_t* pixel = rgbx + x * 4;
    // ITU-R 601 in 16-bit fixed point, as Pillow's convert("L").
    grey_[x * 4] = static_cast<std::uint8_t>(
        (pixel[0] * 19595U + pixel[1] * 38470U + pixel[2] * 7471U + 0x8000U) >> 16);
  }
  narrowed_.resize(narrowed_.size() + kRowBytes);
  resample_row(columns_, grey_.data(), narrowed_.data() + narrowed_.size() - kRowBytes);
}

std::uint64_t DifferenceHash::value() const {
  std::uint64_t bits = 0;
  std::array<std::uint8_t, kRowBytes> line{};
  for (std::size_t y = 0; y < kRows; ++y) {
    resample_column(rows_, y, narrowed_.data(), 0, kRowBytes, line.data());
    for (std::size_t x = 0; x + 1 < kColumns; ++x) {
      bits = bits << 1 | (line[(x + 1) * 4] > line[x * 4] ? 1U : 0U);
    }
  }
  return bits;
}

}  // namespace longhaul
