#include "length_histogram.hpp"

#include <algorithm>
#include <cmath>

#include "base/text.hpp"

namespace longhaul::app {
namespace {

constexpr std::uint64_t kMostClasses = 12;
// Longest over median from which classes of one width would leave most of them empty.
constexpr std::uint64_t kLongTail = 8;

// 1, 2, 5, 10, 20...: the least that gives few enough classes.
std::uint64_t round_width(std::uint64_t least, std::uint64_t most) {
  for (std::uint64_t ten = 1;; ten *= 10) {
    for (const std::uint64_t width : {ten, 2 * ten, 5 * ten}) {
      if (most / width - least / width < kMostClasses) {
        return width;
      }
    }
  }
}

std::string flush_right(const std::string& text, std::size_t width) {
  return std::string(width > text.size() ? width - text.size() : 0, ' ') + text;
}

}  // namespace

std::vector<LengthClass> length_classes(const std::map<std::uint64_t, std::uint64_t>& lengths) {
  std::vector<LengthClass> classes;
  if (lengths.empty()) {
    return classes;
  }
  const std::uint64_t least = lengths.begin()->first;
  const std::uint64_t most = lengths.rbegin()->first;
  const std::uint64_t middle = std::max<std::uint64_t>(length_quantile(lengths, 0.5), 1);
  if (most / middle < kLongTail) {
    const std::uint64_t width = round_width(least, most);
    for (std::uint64_t first = least / width * width; first <= most; first += width) {
      classes.push_back({first, first + width - 1, 0});
    }
  } else {
    for (std::uint64_t first = 0, last = 1; first <= most; first = last + 1, last = 2 * last + 1) {
      if (last >= least) {
        classes.push_back({first, last, 0});
      }
    }
  }
  auto at = classes.begin();
  for (const auto& [length, records] : lengths) {
    while (length > at->last) {
      ++at;
    }
    at->records += records;
  }
  return classes;
}

std::uint64_t length_quantile(const std::map<std::uint64_t, std::uint64_t>& lengths, double share) {
  std::uint64_t all = 0;
  for (const auto& [length, records] : lengths) {
    all += records;
  }
  // As numpy's "lower": the record at the place share x (all - 1), rounded down.
  const auto place =
      static_cast<std::uint64_t>(std::floor(share * static_cast<double>(all > 0 ? all - 1 : 0)));
  std::uint64_t before = 0;
  for (const auto& [length, records] : lengths) {
    before += records;
    if (place < before) {
      return length;
    }
  }
  return 0;
}

double mean_length(const std::map<std::uint64_t, std::uint64_t>& lengths) {
  double sum = 0;
  double all = 0;
  for (const auto& [length, records] : lengths) {
    sum += static_cast<double>(length) * static_cast<double>(records);
    all += static_cast<double>(records);
  }
  return all > 0 ? sum / all : 0;
}

std::vector<std::string> drawn_classes(const std::vector<LengthClass>& classes,
                                       std::size_t columns) {
  std::uint64_t most = 1;
  std::size_t number = 0;
  std::size_t count = 0;
  for (const LengthClass& one : classes) {
    most = std::max(most, one.records);
    number = std::max(number, format_count(one.last).size());
    count = std::max(count, format_count(one.records).size());
  }
  const std::size_t taken = 2 + number + 4 + number + 2 + count + 2;
  const std::size_t room = columns > taken + 1 ? columns - taken : 1;
  std::vector<std::string> lines;
  for (const LengthClass& one : classes) {
    // Rounded up, so that a class with a record is seen to have one.
    const std::uint64_t bar = (one.records * room + most - 1) / most;
    std::string line = "  " + flush_right(format_count(one.first), number) + " to " +
                       flush_right(format_count(one.last), number) + "  " +
                       flush_right(format_count(one.records), count);
    line += bar > 0 ? "  " + std::string(bar, '#') : "";
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace longhaul::app
