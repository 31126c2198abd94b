// The .npy format (numpy.lib.format, versions 1 to 3): reading numbers as float64, and writing the
// small arrays of a probe's head. Little-endian, C order; nothing is ever unpickled.
// Pure functions; any thread. What is not such an array is an Error(kBadData) that names `where`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul::score {

struct NpyHeader {
  std::string type;  // "<f4": float16, float32, float64, int32, int64
  std::vector<std::uint64_t> shape;
  std::size_t data_offset = 0;

  std::uint64_t count() const;  // product of the shape
  std::size_t item_bytes() const;
};

// The longest header that parse_npy_header may need to see.
inline constexpr std::size_t kNpyHeaderLimit = 64 << 10;

// `start` is the beginning of the file, its whole header at least.
NpyHeader parse_npy_header(std::string_view start, const std::string& where);

// The numbers of `bytes` (the header's type) as float64.
void npy_to_double(const NpyHeader& header, std::string_view bytes, std::span<double> values);

struct NpyArray {
  std::vector<std::uint64_t> shape;
  std::vector<double> values;
};
NpyArray parse_npy(std::string_view bytes, const std::string& where);

// Of one or two axes.
std::string write_npy(const std::vector<std::uint64_t>& shape, std::span<const double> values);
std::string write_npy(const std::vector<std::uint64_t>& shape,
                      std::span<const std::int64_t> values);

}  // namespace longhaul::score
