// The small .npy arrays of a probe's head, whole in memory: read as float64, and written.
// Pure functions; any thread. What is not such an array is an Error(kBadData) that names `where`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul::score {

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
