// Resampling as Pillow does it on 8-bit images: antialiased filters, weights rounded to 22 bits,
// first along the rows, rounded to 8 bits, then along the columns. Equal to Pillow level for level,
// which a computation in floating point or with fewer bits is not.
// Pure functions of their arguments; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace longhaul {

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

Taps make_taps(Filter filter, std::uint32_t from, std::uint64_t to, std::uint64_t first,
               std::uint32_t count);

// One row of RGBX pixels to taps.ranges.size() RGBX pixels.
void resample_row(const Taps& taps, const std::uint8_t* rgbx, std::uint8_t* out);

// Output row `index` from `rows`, which starts at source row `first_row` and has `row_bytes` bytes
// a row.
void resample_column(const Taps& taps, std::size_t index, const std::uint8_t* rows,
                     std::uint32_t first_row, std::size_t row_bytes, std::uint8_t* out);

}  // namespace longhaul
