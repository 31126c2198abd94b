#include "vision/fit.hpp"

#include <catch2/catch.hpp>
#include <vector>

#include "base/error.hpp"

using longhaul::encode::ImageSpec;
using longhaul::vision::Fit;
using longhaul::vision::fit_geometry;
using longhaul::vision::FitGeometry;

namespace {

ImageSpec spec_of(std::uint32_t size, std::uint32_t resize) {
  ImageSpec spec;
  spec.size = size;
  spec.resize = resize;
  return spec;
}

}  // namespace

// Expected values: torchvision 0.26, Resize and CenterCrop on Pillow images of these sizes.
TEST_CASE("sizes and crop offsets are rounded as torchvision rounds them") {
  const ImageSpec spec = spec_of(224, 256);
  const FitGeometry wide = fit_geometry(spec, 640, 427);
  CHECK(wide.width == 383);  // int(256 * 640 / 427) of 383.7
  CHECK(wide.height == 256);
  CHECK(wide.left == 80);  // round(79.5)
  CHECK(wide.top == 16);
  const FitGeometry tall = fit_geometry(spec, 300, 301);
  CHECK(tall.width == 256);
  CHECK(tall.height == 256);
  const FitGeometry half_down = fit_geometry(spec_of(224, 225), 225, 225);
  CHECK(half_down.left == 0);  // round(0.5)
  const FitGeometry half_up = fit_geometry(spec_of(224, 227), 227, 227);
  CHECK(half_up.left == 2);  // round(1.5)
}

// transformers' image processors begin the crop at int(difference / 2).
TEST_CASE("a crop offset is rounded down where the card says so") {
  ImageSpec spec = spec_of(224, 227);
  spec.crop_rounding = "down";
  CHECK(fit_geometry(spec, 227, 227).left == 1);
  spec.resize = 225;
  CHECK(fit_geometry(spec, 225, 225).left == 0);
  spec.resize = 256;
  CHECK(fit_geometry(spec, 640, 427).left == 79);
}

TEST_CASE("without a crop both sides become the size") {
  ImageSpec spec = spec_of(100, 100);
  spec.crop = false;
  const FitGeometry fit = fit_geometry(spec, 300, 20);
  CHECK(fit.width == 100);
  CHECK(fit.height == 100);
}

TEST_CASE("an image of one colour keeps it, whatever its shape, in either layout") {
  for (const char* layout : {"NCHW", "NHWC"}) {
    for (const auto& [width, height] :
         {std::pair{1U, 1U}, {1U, 3000U}, {3000U, 1U}, {40U, 40U}, {500U, 333U}}) {
      ImageSpec spec = spec_of(32, 40);
      spec.layout = layout;
      Fit fit(spec);
      fit.begin({width, height}, 1);
      std::vector<std::uint8_t> row;
      for (std::uint32_t x = 0; x < width; ++x) {
        row.insert(row.end(), {200, 100, 50, 7});
      }
      for (std::uint32_t y = 0; y < height; ++y) {
        fit.row(row.data());
      }
      std::vector<std::uint8_t> pixels(3 * 32 * 32);
      fit.finish(pixels);
      for (std::size_t i = 0; i < 32 * 32; ++i) {
        const bool last = spec.layout == "NHWC";
        REQUIRE(pixels[last ? i * 3 : i] == 200);
        REQUIRE(pixels[last ? i * 3 + 1 : 1024 + i] == 100);
        REQUIRE(pixels[last ? i * 3 + 2 : 2048 + i] == 50);
      }
    }
  }
}

TEST_CASE("a card that cannot be served is refused") {
  CHECK_THROWS_AS(Fit(spec_of(224, 200)), longhaul::Error);
  ImageSpec plain = spec_of(224, 224);
  plain.antialias = false;
  CHECK_THROWS_AS(Fit(plain), longhaul::Error);
}
