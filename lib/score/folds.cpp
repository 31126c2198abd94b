#include "score/folds.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <random>
#include <unordered_map>
#include <utility>

#include "base/error.hpp"

namespace longhaul::score {
namespace {

// numpy's RandomState.shuffle: Fisher and Yates from the end, each index drawn as the low bits of a
// Mersenne twister word, drawn again while it is too large. std::mt19937(seed) is
// RandomState(seed).
void numpy_shuffle(std::vector<std::uint32_t>& values, std::mt19937& words) {
  for (std::size_t i = values.size(); i-- > 1;) {
    const std::uint32_t mask = std::bit_ceil(static_cast<std::uint32_t>(i) + 1) - 1;
    std::uint32_t j = 0;
    do {
      j = static_cast<std::uint32_t>(words()) & mask;
    } while (j > i);
    std::swap(values[i], values[j]);
  }
}

}  // namespace

std::vector<std::uint32_t> stratified_folds(std::span<const std::uint8_t> labels,
                                            std::uint32_t folds, std::uint32_t seed) {
  if (labels.empty() || folds < 2) {
    throw Error(ExitCode::kBadData, "cross-validation needs at least two folds and some rows");
  }
  // Classes are numbered in the order in which they appear.
  const std::uint8_t first = labels.front();
  std::array<std::size_t, 2> members{};
  for (const std::uint8_t label : labels) {
    ++members[label == first ? 0 : 1];
  }
  for (const std::size_t count : members) {
    if (count < folds) {
      throw Error(ExitCode::kBadData,
                  "a class has only " + std::to_string(count) + " members, fewer than the " +
                      std::to_string(folds) + " folds",
                  "use fewer --folds");
    }
  }

  // With the labels sorted by class, row r goes to fold r % folds: that fixes how many of each
  // class a fold gets; which ones is then shuffled.
  std::mt19937 words(seed);
  std::vector<std::uint32_t> result(labels.size());
  std::size_t start = 0;
  for (std::size_t c = 0; c < members.size(); ++c) {
    std::vector<std::size_t> share(folds);
    for (std::size_t r = start; r < start + members[c]; ++r) {
      ++share[r % folds];
    }
    start += members[c];
    std::vector<std::uint32_t> dealt;
    for (std::uint32_t fold = 0; fold < folds; ++fold) {
      dealt.insert(dealt.end(), share[fold], fold);
    }
    numpy_shuffle(dealt, words);
    std::size_t next = 0;
    for (std::size_t row = 0; row < labels.size(); ++row) {
      if ((labels[row] == first) == (c == 0)) {
        result[row] = dealt[next++];
      }
    }
  }
  return result;
}

std::vector<std::uint32_t> grouped_folds(std::span<const std::uint8_t> labels,
                                         std::span<const std::string> keys, std::uint32_t folds,
                                         std::uint32_t seed) {
  struct Group {
    std::uint8_t first_label = 0;
    std::size_t zeros = 0;
    std::size_t ones = 0;
  };
  std::unordered_map<std::string, std::size_t> numbers;
  std::vector<Group> groups;
  std::vector<std::size_t> group_of(labels.size());
  for (std::size_t row = 0; row < labels.size(); ++row) {
    const auto [entry, is_new] = numbers.try_emplace(keys[row], groups.size());
    if (is_new) {
      groups.push_back({labels[row], 0, 0});
    }
    group_of[row] = entry->second;
    Group& group = groups[entry->second];
    ++(labels[row] != 0 ? group.ones : group.zeros);
  }
  std::vector<std::uint8_t> group_labels;
  for (const Group& group : groups) {
    group_labels.push_back(group.ones == group.zeros ? group.first_label
                                                     : (group.ones > group.zeros ? 1 : 0));
  }
  const std::vector<std::uint32_t> group_folds = stratified_folds(group_labels, folds, seed);
  std::vector<std::uint32_t> result(labels.size());
  for (std::size_t row = 0; row < labels.size(); ++row) {
    result[row] = group_folds[group_of[row]];
  }
  return result;
}

}  // namespace longhaul::score
