// The header of a .npy file: the one we write, format version 1.0 and always 128 bytes, and those
// we read, versions 1 to 3 (see numpy.lib.format). Little-endian, C order; nothing is unpickled.
// Pure functions; any thread. What is not such an array is an Error(kBadData) that names `where`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"

namespace longhaul::store {

constexpr std::size_t kNpyHeaderBytes = 128;

// `descr` is numpy's name of the type: "<f4", "<f2", "<u8". Without `columns`, one axis.
std::string npy_header(std::string_view descr, std::uint64_t rows,
                       std::optional<std::uint32_t> columns);

struct NpyHeader {
  std::string type;  // "<f4": float16, float32, float64, int32, int64
  std::vector<std::uint64_t> shape;
  std::size_t data_offset = 0;

  std::uint64_t count() const;  // product of the shape
  std::size_t item_bytes() const;
};

// Whether a file begins with this header.
bool has_header(File& file, const std::string& header);

// The longest header that parse_npy_header may need to see.
inline constexpr std::size_t kNpyHeaderLimit = 64 << 10;

// `start` is the beginning of the file, its whole header at least.
NpyHeader parse_npy_header(std::string_view start, const std::string& where);

// The numbers of `bytes` (the header's type) as float64.
void npy_to_double(const NpyHeader& header, std::string_view bytes, std::span<double> values);

}  // namespace longhaul::store
