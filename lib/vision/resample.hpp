// Resampling as Pillow 13 does it on 8-bit images: antialiased filters, weights rounded to 22 bits,
// in two passes with rounding to 8 bits between them. Equal to Pillow level for level, which a
// computation in floating point or with fewer bits is not.
// One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vision/row_sink.hpp"

namespace longhaul::vision {

enum class Filter { kBilinear, kBicubic, kLanczos };

// For each of the output positions [first, first + count) of a line of `to` pixels made from a line
// of `from` pixels: which source pixels it is made of, and their weights.
struct Taps {
  struct Range {
    std::uint32_t start = 0;  // first source pixel
    std::uint32_t count = 0;
  };
  std::uint32_t stride = 0;  // weights per output position
  std::vector<Range> ranges;
  std::vector<std::int32_t> weights;  // ranges.size() x stride; unused ones are 0

  std::uint32_t first_source() const;  // the source pixels used by any of the ranges
  std::uint32_t end_source() const;
};

// A line to resample: that of an image, decoded at 1 / denominator of its size. It has pixels()
// pixels, of which length() are the image, for the last one may reach over its edge.
struct Line {
  std::uint32_t image = 0;
  std::uint32_t denominator = 1;
  std::uint32_t pixels() const { return of_scale(image, denominator); }
  double length() const { return static_cast<double>(image) / denominator; }
};

Taps make_taps(Filter filter, const Line& from, std::uint64_t to, std::uint64_t first,
               std::uint32_t count);

// A resize, and the window of the result that is wanted.
struct ResizeWindow {
  Line from_width;
  Line from_height;
  std::uint64_t to_width = 0;
  std::uint64_t to_height = 0;
  std::uint64_t left = 0;
  std::uint64_t top = 0;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
};

// Sums of the output rows that are not complete, of source rows that come one after another.
class RowSums {
 public:
  // Adds source row `y` to every output row of `taps` that it is part of.
  void add(const Taps& taps, std::uint32_t y, std::span<const std::uint8_t> row);
  // Whether source row `y` was the last one of the first of them.
  bool completes_first(const Taps& taps, std::uint32_t y) const;
  // That one rounded, of as many bytes as a source row; which output row it is.
  std::size_t take_first(std::uint8_t* out);

 private:
  std::vector<std::vector<std::int32_t>> sums_;  // of output rows [next_, next_ + sums_.size())
  std::size_t next_ = 0;
};

// Takes an image row by row and keeps only what the window needs.
class Resampler {
 public:
  Resampler(Filter filter, const ResizeWindow& window);

  // The next row, from_width.pixels() RGBX pixels.
  void row(const std::uint8_t* rgbx);
  // After the last row: row `y` of the window, `width` RGBX pixels. Valid until the next call.
  const std::uint8_t* result_row(std::uint32_t y);

 private:
  void narrow(const std::uint8_t* rgbx, std::uint8_t* out) const;
  void add_to_sums(std::uint32_t y, const std::uint8_t* rgbx);

  ResizeWindow window_;
  bool same_width_;  // that pass changes nothing
  bool same_height_;
  bool columns_first_;  // the order of the passes shows in the last bit
  Taps columns_;
  Taps rows_;
  std::uint32_t next_row_ = 0;
  std::uint32_t first_row_ = 0;  // source rows that are used: [first_row_, end_row_)
  std::uint32_t end_row_ = 0;
  // Rows first: the used source rows, narrowed. Columns first: the window.
  std::vector<std::uint8_t> kept_;
  std::vector<std::uint8_t> line_;
  RowSums sums_;  // columns first
};

}  // namespace longhaul::vision
