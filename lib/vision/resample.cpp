#include "vision/resample.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Where the compiler can, the plain loops are also built for AVX2 and chosen at load time.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(LONGHAUL_CLONES)
#define LONGHAUL_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define LONGHAUL_WIDE
#endif

namespace longhaul::vision {
namespace {

constexpr int kWeightBits = 22;  // 32 less 8 for the pixel and 2 for overshoot and sign
constexpr std::int32_t kHalf = 1 << (kWeightBits - 1);

double support_of(Filter filter) {
  switch (filter) {
    case Filter::kBilinear:
      return 1;
    case Filter::kBicubic:
      return 2;
    case Filter::kLanczos:
      break;
  }
  return 3;
}

double sinc(double x) {
  return x == 0 ? 1 : std::sin(x * std::numbers::pi) / (x * std::numbers::pi);
}

// Value of the filter at distance x, in units of the coarser grid.
double filter_value(Filter filter, double x) {
  constexpr double a = -0.5;  // Pillow's cubic, also Matlab's; OpenCV uses -0.75
  switch (filter) {
    case Filter::kBilinear:
      x = std::abs(x);
      return x < 1 ? 1 - x : 0;
    case Filter::kBicubic:
      x = std::abs(x);
      if (x < 1) {
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
      }
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    case Filter::kLanczos:
      break;
  }
  return -3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

std::int32_t to_fixed(double weight) {
  return static_cast<std::int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kWeightBits));
}

std::uint8_t to_pixel(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

// One row of RGBX pixels to taps.ranges.size() RGBX pixels.
void resample_row_any(const Taps& taps, const std::uint8_t* rgbx, std::uint8_t* out) {
  const std::int32_t* weights = taps.weights.data();
  for (const Taps::Range& range : taps.ranges) {
    const std::uint8_t* source = rgbx + static_cast<std::size_t>(range.start) * 4;
    std::int32_t sums[3] = {kHalf, kHalf, kHalf};
    for (std::uint32_t x = 0; x < range.count; ++x) {
      for (std::size_t channel = 0; channel < 3; ++channel) {
        sums[channel] += source[std::size_t{x} * 4 + channel] * weights[x];
      }
    }
    for (std::size_t channel = 0; channel < 3; ++channel) {
      out[channel] = to_pixel(sums[channel]);
    }
    out[3] = 0;
    out += 4;
    weights += taps.stride;
  }
}

#if defined(__x86_64__)
// Two pixels a step. Written out, because compilers take the bytes of a pixel apart one by one.
[[gnu::target("avx2")]] void resample_row_avx2(const Taps& taps, const std::uint8_t* rgbx,
                                               std::uint8_t* out) {
  const __m256i first_and_second = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  const __m128i colours = _mm_cvtsi32_si128(0x00FFFFFF);
  const std::int32_t* weights = taps.weights.data();
  for (const Taps::Range& range : taps.ranges) {
    const std::uint8_t* source = rgbx + static_cast<std::size_t>(range.start) * 4;
    __m256i pairs = _mm256_setzero_si256();
    std::uint32_t x = 0;
    for (; x + 2 <= range.count; x += 2) {
      const __m256i pixels =
          _mm256_cvtepu8_epi32(_mm_loadu_si64(source + static_cast<std::size_t>(x) * 4));
      const __m256i factors = _mm256_permutevar8x32_epi32(
          _mm256_castsi128_si256(_mm_loadu_si64(weights + x)), first_and_second);
      pairs = _mm256_add_epi32(pairs, _mm256_mullo_epi32(pixels, factors));
    }
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
    if (x < range.count) {
      const __m128i pixel =
          _mm_cvtepu8_epi32(_mm_loadu_si32(source + static_cast<std::size_t>(x) * 4));
      sum = _mm_add_epi32(sum, _mm_mullo_epi32(pixel, _mm_set1_epi32(weights[x])));
    }
    const __m128i level = _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(kHalf)), kWeightBits);
    const __m128i words = _mm_packs_epi32(level, level);
    _mm_storeu_si32(out, _mm_and_si128(_mm_packus_epi16(words, words), colours));
    out += 4;
    weights += taps.stride;
  }
}
#endif

void resample_row(const Taps& taps, const std::uint8_t* rgbx, std::uint8_t* out) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) {
    resample_row_avx2(taps, rgbx, out);
    return;
  }
#endif
  resample_row_any(taps, rgbx, out);
}

// Output position `index` of every column, from `rows`, which starts at source row `first_row`.
LONGHAUL_WIDE
void resample_column(const Taps& taps, std::size_t index, const std::uint8_t* rows,
                     std::uint32_t first_row, std::size_t row_bytes, std::uint8_t* out) {
  constexpr std::size_t kBlock = 64;
  const Taps::Range range = taps.ranges[index];
  const std::int32_t* weights = taps.weights.data() + index * taps.stride;
  const std::uint8_t* source = rows + static_cast<std::size_t>(range.start - first_row) * row_bytes;
  for (std::size_t at = 0; at < row_bytes; at += kBlock) {
    const std::size_t size = std::min(kBlock, row_bytes - at);
    std::int32_t sums[kBlock];
    std::fill_n(sums, kBlock, kHalf);
    for (std::uint32_t y = 0; y < range.count; ++y) {
      const std::uint8_t* line = source + y * row_bytes + at;
      const std::int32_t weight = weights[y];
      if (size == kBlock) {
        for (std::size_t i = 0; i < kBlock; ++i) {
          sums[i] += line[i] * weight;
        }
      } else {
        for (std::size_t i = 0; i < size; ++i) {
          sums[i] += line[i] * weight;
        }
      }
    }
    for (std::size_t i = 0; i < size; ++i) {
      out[at + i] = to_pixel(sums[i]);
    }
  }
}

LONGHAUL_WIDE
void add_weighted(const std::uint8_t* bytes, std::int32_t weight, std::span<std::int32_t> sums) {
  for (std::size_t i = 0; i < sums.size(); ++i) {
    sums[i] += bytes[i] * weight;
  }
}

LONGHAUL_WIDE
void round_sums(std::span<const std::int32_t> sums, std::uint8_t* out) {
  for (std::size_t i = 0; i < sums.size(); ++i) {
    out[i] = to_pixel(sums[i]);
  }
}

}  // namespace

std::uint32_t Taps::first_source() const {
  return ranges.empty() ? 0 : ranges.front().start;
}

std::uint32_t Taps::end_source() const {
  return ranges.empty() ? 0 : ranges.back().start + ranges.back().count;
}

Taps make_taps(Filter filter, const Line& from, std::uint64_t to, std::uint64_t first,
               std::uint32_t count) {
  const double scale = from.length() / static_cast<double>(to);
  const double stretch = std::max(scale, 1.0);
  const double support = support_of(filter) * stretch;
  const double shrink = 1.0 / stretch;
  Taps taps;
  taps.stride = static_cast<std::uint32_t>(std::ceil(support)) * 2 + 1;
  taps.ranges.resize(count);
  taps.weights.resize(static_cast<std::size_t>(count) * taps.stride);
  std::vector<double> line(taps.stride);
  for (std::uint32_t i = 0; i < count; ++i) {
    const double centre = (static_cast<double>(first + i) + 0.5) * scale;
    const auto low = static_cast<std::int64_t>(centre - support + 0.5);
    const auto high = static_cast<std::int64_t>(centre + support + 0.5);
    const auto start = static_cast<std::uint32_t>(std::max<std::int64_t>(low, 0));
    const auto end = static_cast<std::uint32_t>(std::min<std::int64_t>(high, from.pixels()));
    double sum = 0;
    for (std::uint32_t x = start; x < end; ++x) {
      line[x - start] = filter_value(filter, (x - centre + 0.5) * shrink);
      sum += line[x - start];
    }
    taps.ranges[i] = {start, end - start};
    for (std::uint32_t x = 0; x < end - start; ++x) {
      taps.weights[static_cast<std::size_t>(i) * taps.stride + x] =
          to_fixed(sum != 0 ? line[x] / sum : line[x]);
    }
  }
  return taps;
}

void RowSums::add(const Taps& taps, std::uint32_t y, std::span<const std::uint8_t> row) {
  for (std::size_t i = next_; i < taps.ranges.size() && taps.ranges[i].start <= y; ++i) {
    const Taps::Range range = taps.ranges[i];
    if (y >= range.start + range.count) {
      continue;
    }
    if (i - next_ >= sums_.size()) {
      sums_.emplace_back(row.size(), kHalf);
    }
    add_weighted(row.data(), taps.weights[i * taps.stride + (y - range.start)], sums_[i - next_]);
  }
}

bool RowSums::completes_first(const Taps& taps, std::uint32_t y) const {
  return next_ < taps.ranges.size() && y + 1 == taps.ranges[next_].start + taps.ranges[next_].count;
}

std::size_t RowSums::take_first(std::uint8_t* out) {
  round_sums(sums_.front(), out);
  std::rotate(sums_.begin(), sums_.begin() + 1, sums_.end());
  sums_.pop_back();
  return next_++;
}

Resampler::Resampler(Filter filter, const ResizeWindow& window)
    : window_(window),
      same_width_(window.from_width.denominator * window.to_width == window.from_width.image),
      same_height_(window.from_height.denominator * window.to_height == window.from_height.image),
      columns_(make_taps(filter, window.from_width, window.to_width, window.left, window.width)),
      rows_(make_taps(filter, window.from_height, window.to_height, window.top, window.height)) {
  // Pillow 13 starts with the columns where the height shrinks by more than twice what the width
  // does, in pixels.
  const auto less = [](std::uint64_t from, std::uint64_t to) {
    return static_cast<std::int64_t>(from) - static_cast<std::int64_t>(to);
  };
  const std::int64_t lower = less(window.from_height.pixels(), window.to_height);
  columns_first_ = lower > 0 && lower > 2 * less(window.from_width.pixels(), window.to_width);
  first_row_ = same_height_ ? static_cast<std::uint32_t>(window.top) : rows_.first_source();
  end_row_ = same_height_ ? first_row_ + window.height : rows_.end_source();
  const std::size_t kept_rows = columns_first_ ? window.height : end_row_ - first_row_;
  kept_.resize(kept_rows * window.width * 4);
}

void Resampler::narrow(const std::uint8_t* rgbx, std::uint8_t* out) const {
  if (same_width_) {
    std::memcpy(out, rgbx + window_.left * 4, static_cast<std::size_t>(window_.width) * 4);
  } else {
    resample_row(columns_, rgbx, out);
  }
}

// Adds a source row to the sums; writes the output rows that are complete with it.
void Resampler::add_to_sums(std::uint32_t y, const std::uint8_t* rgbx) {
  const std::size_t row_bytes = static_cast<std::size_t>(window_.from_width.pixels()) * 4;
  sums_.add(rows_, y, {rgbx, row_bytes});
  while (sums_.completes_first(rows_, y)) {
    line_.resize(row_bytes);
    const std::size_t output = sums_.take_first(line_.data());
    narrow(line_.data(), &kept_[output * window_.width * 4]);
  }
}

void Resampler::row(const std::uint8_t* rgbx) {
  const std::uint32_t y = next_row_++;
  if (y < first_row_ || y >= end_row_) {
    return;
  }
  if (columns_first_) {
    add_to_sums(y, rgbx);
  } else {
    narrow(rgbx, &kept_[std::size_t{y - first_row_} * window_.width * 4]);
  }
}

const std::uint8_t* Resampler::result_row(std::uint32_t y) {
  const std::size_t row_bytes = static_cast<std::size_t>(window_.width) * 4;
  if (columns_first_ || same_height_) {
    return &kept_[y * row_bytes];
  }
  line_.resize(row_bytes);
  resample_column(rows_, y, kept_.data(), first_row_, row_bytes, line_.data());
  return line_.data();
}

}  // namespace longhaul::vision
