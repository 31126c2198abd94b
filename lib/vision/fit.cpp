#include "vision/fit.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace longhaul::vision {
namespace {

// Python's round((outer - inner) / 2), half to even; or half down.
std::uint64_t centre_offset(std::uint64_t outer, std::uint64_t inner, bool to_even) {
  const std::uint64_t twice = outer - inner;
  const std::uint64_t floor = twice / 2;
  return floor + (to_even && twice % 2 == 1 && floor % 2 == 1 ? 1 : 0);
}

Filter filter_of(const encode::ImageSpec& spec) {
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

FitGeometry fit_geometry(const encode::ImageSpec& spec, std::uint32_t width, std::uint32_t height) {
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
  const bool to_even = spec.crop_rounding == "even";
  fit.left = centre_offset(fit.width, spec.size, to_even);
  fit.top = centre_offset(fit.height, spec.size, to_even);
  return fit;
}

std::uint32_t scale_denominator(const encode::ImageSpec& spec, const Extent& image) {
  const FitGeometry fit = fit_geometry(spec, image.width, image.height);
  for (const std::uint32_t denominator : {8U, 4U, 2U}) {
    if (image.width >= denominator * kScaleMargin * fit.width &&
        image.height >= denominator * kScaleMargin * fit.height) {
      return denominator;
    }
  }
  return 1;
}

Fit::Fit(const encode::ImageSpec& spec) : spec_(spec), filter_(filter_of(spec)) {
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

void Fit::begin(const Extent& image, std::uint32_t denominator) {
  const FitGeometry fit = fit_geometry(spec_, image.width, image.height);
  scaled_ = denominator > 1;
  resampler_.emplace(filter_, ResizeWindow{{image.width, denominator},
                                           {image.height, denominator},
                                           fit.width,
                                           fit.height,
                                           fit.left,
                                           fit.top,
                                           spec_.size,
                                           spec_.size});
}

void Fit::row(const std::uint8_t* rgbx) {
  resampler_->row(rgbx);
}

void Fit::finish(std::span<std::uint8_t> pixels) {
  const std::size_t size = spec_.size;
  const bool channels_last = spec_.layout == "NHWC";
  for (std::size_t y = 0; y < size; ++y) {
    const std::uint8_t* rgbx = resampler_->result_row(static_cast<std::uint32_t>(y));
    for (std::size_t x = 0; x < size; ++x) {
      const std::size_t place = y * size + x;
      for (std::size_t channel = 0; channel < 3; ++channel) {
        pixels[channels_last ? place * 3 + channel : channel * size * size + place] =
            rgbx[x * 4 + channel];
      }
    }
  }
}

}  // namespace longhaul::vision
