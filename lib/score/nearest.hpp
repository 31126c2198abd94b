// Which vectors of a sample lie nearest to each of its members, by cosine, and how far two such
// answers agree. Memory: the sample as float64, and a block of its products. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace longhaul::score {

// The `count` nearest of each of `rows` vectors (row by row in `values`), itself left out: their
// numbers, row by row, nearest first; of equally near ones the first.
std::vector<std::uint32_t> nearest_of_each(std::span<const double> values, std::size_t rows,
                                           std::size_t count);

// The share of the nearest of each row of `a` that are among its nearest in `b`, whatever their
// order. Both as nearest_of_each() gives them.
double agreement(std::span<const std::uint32_t> a, std::span<const std::uint32_t> b,
                 std::size_t count);

}  // namespace longhaul::score
