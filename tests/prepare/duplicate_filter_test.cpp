#include "prepare/duplicate_filter.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <string>

using longhaul::Hash128;
using longhaul::hash128;
using longhaul::prepare::DuplicateFilter;

TEST_CASE("the first image of a content is kept, later ones name its row") {
  DuplicateFilter filter(DuplicateFilter::Key::kContent);
  CHECK_FALSE(filter.first_of(hash128("a"), 0));
  CHECK_FALSE(filter.first_of(hash128("b"), 1));
  CHECK(filter.first_of(hash128("a"), 2) == 0U);
  CHECK(filter.first_of(hash128("b"), 7) == 1U);
  CHECK(filter.records() == 2);
}

TEST_CASE("contents are told apart by all 128 bits") {
  DuplicateFilter filter(DuplicateFilter::Key::kContent);
  CHECK_FALSE(filter.first_of(Hash128{1, 5}, 0));
  CHECK_FALSE(filter.first_of(Hash128{2, 5}, 1));
  CHECK(filter.first_of(Hash128{2, 5}, 2) == 1U);
}

TEST_CASE("a large set answers as a map does, in the bytes an image that it states") {
  DuplicateFilter contents(DuplicateFilter::Key::kContent);
  DuplicateFilter likenesses(DuplicateFilter::Key::kLikeness);
  std::map<std::uint64_t, std::uint64_t> expected;
  constexpr std::uint64_t kRows = 200'000;
  for (std::uint64_t row = 0; row < kRows; ++row) {
    // Every seventh repeats an earlier one; keys of likenesses differ in few bits.
    const std::uint64_t key = row % 7 == 6 ? row / 2 : row;
    const auto [first, is_new] = expected.emplace(key, row);
    const auto content = contents.first_of(hash128(std::to_string(key)), row);
    const auto likeness = likenesses.first_of(key << 20, row);
    REQUIRE(content.has_value() == !is_new);
    REQUIRE(likeness.has_value() == !is_new);
    if (!is_new) {
      REQUIRE(*content == first->second);
      REQUIRE(*likeness == first->second);
    }
  }
  CHECK(contents.records() == expected.size());
  CHECK(contents.memory_bytes() <= expected.size() * 41);
  CHECK(likenesses.memory_bytes() <= expected.size() * 28);
}
