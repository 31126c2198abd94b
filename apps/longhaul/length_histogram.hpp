// Lengths of records in a few classes with round edges.
// Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace longhaul::app {

struct LengthClass {
  std::uint64_t first = 0;
  std::uint64_t last = 0;  // with it
  std::uint64_t records = 0;
};

// `lengths`: records by length. Classes of one round width where a dozen of them reach from the
// shortest to the longest or the lengths are of one kind; else each twice as wide as the one
// before.
std::vector<LengthClass> length_classes(const std::map<std::uint64_t, std::uint64_t>& lengths);

// The length below which this share of the records is, from 0 to 1; 0 of none.
std::uint64_t length_quantile(const std::map<std::uint64_t, std::uint64_t>& lengths, double share);
double mean_length(const std::map<std::uint64_t, std::uint64_t>& lengths);

// A line for each class, "  100 to   119  ######  1,234", of at most `columns`.
std::vector<std::string> drawn_classes(const std::vector<LengthClass>& classes,
                                       std::size_t columns);

}  // namespace longhaul::app
