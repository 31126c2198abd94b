#include "vision/fit.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.hpp"

namespace longhaul {
namespace {

// Python's round((outer - inner) / 2): half to even.
std::uint64_t centre_offset(std::uint64_t outer, std::uint64_t inner) {
  const std::uint64_t twice = outer - inner;
  const std::uint64_t floor = twice / 2;
  return floor + (twice % 2 == 1 && floor % 2 == 1 ? 1 : 0);
}

Filter filter_of(const ImageSpec& spec) {
  if (spec.interpolation == "bicubic") {
    return Filter::kBicubic;
  }
  if (spec.interpolation == "bilinear") {
    return Filter::kBilinear;
  }
  throw Error(ExitCode::kBadData,
              "the card's image.interpolation \"" + spec.interpolation + "\" is not known",
              "use bicubic or bilinear");
}

}  // namespace

FitGeometry fit_geometry(const ImageSpec& spec, std::uint32_t width, std::uint32_t height) {
  if (!spec.crop) {
    return {spec.size, spec.size, 0, 0};
  }
  const auto [narrow, wide] = std::minmax(width, height);
  const auto longer = static_cast<std::uint64_t>(
      static_cast<double>(static_cast<std::uint64_t>(spec.resize) * wide) /
      static_cast<double>(narrow));
  FitGeometry fit;
  fit.width = width <= height ? spec.resize : longer;
  fit.height = width <= height ? longer : spec.resize;
  fit.left = centre_offset(fit.width, spec.size);
  fit.top = centre_offset(fit.height, spec.size);
  return fit;
}

Fit::Fit(const ImageSpec& spec) : size_(spec.size), spec_(spec), filter_(filter_of(spec)) {
  if (spec.size == 0 || spec.size > 16384) {
    throw Error(ExitCode::kBadData, "the card's image.size " + std::to_string(spec.size) +
                                        " is not between 1 and 16384");
  }
  if (spec.crop && spec.resize < spec.size) {
    throw Error(ExitCode::kBadData,
                "the card's image.resize " + std::to_string(spec.resize) +
                    " is smaller than image.size " + std::to_string(spec.size),
                "an image cannot be cropped to more than it is resized to");
  }
  if (!spec.antialias) {
    throw Error(ExitCode::kBadData, "the card's image.antialias is false",
                "only antialiased resizing is offered: export the model with antialias true");
  }
}

void Fit::begin(std::uint32_t width, std::uint32_t height) {
  geometry_ = fit_geometry(spec_, width, height);
  copy_columns_ = geometry_.width == width;
  copy_rows_ = geometry_.height == height;
  columns_ = make_taps(filter_, width, geometry_.width, geometry_.left, size_);
  rows_ = make_taps(filter_, height, geometry_.height, geometry_.top, size_);
  first_row_ = copy_rows_ ? static_cast<std::uint32_t>(geometry_.top) : rows_.first_source();
  end_row_ = copy_rows_ ? first_row_ + size_ : rows_.end_source();
  next_row_ = 0;
  narrowed_.resize(static_cast<std::size_t>(end_row_ - first_row_) * size_ * 4);
}

void Fit::row(const std::uint8_t* rgbx) {
  const std::uint32_t row = next_row_++;
  if (row < first_row_ || row >= end_row_) {
    return;
  }
  std::uint8_t* out = narrowed_.data() + static_cast<std::size_t>(row - first_row_) * size_ * 4;
  if (copy_columns_) {
    std::memcpy(out, rgbx + geometry_.left * 4, static_cast<std::size_t>(size_) * 4);
  } else {
    resample_row(columns_, rgbx, out);
  }
}

void Fit::finish(std::span<std::uint8_t> pixels) const {
  const std::size_t row_bytes = static_cast<std::size_t>(size_) * 4;
  const std::size_t plane = static_cast<std::size_t>(size_) * size_;
  const bool channels_last = spec_.layout == "NHWC";
  std::vector<std::uint8_t> line(row_bytes);
  for (std::size_t y = 0; y < size_; ++y) {
    const std::uint8_t* rgbx = line.data();
    if (copy_rows_) {
      rgbx = narrowed_.data() + y * row_bytes;
    } else {
      resample_column(rows_, y, narrowed_.data(), first_row_, row_bytes, line.data());
    }
    for (std::size_t x = 0; x < size_; ++x) {
      const std::size_t place = y * size_ + x;
      for (std::size_t channel = 0; channel < 3; ++channel) {
        pixels[channels_last ? place * 3 + channel : channel * plane + place] =
            rgbx[x * 4 + channel];
      }
    }
  }
}

}  // namespace longhaul
