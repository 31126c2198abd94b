#include "store/row_index.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>

namespace longhaul::store {
namespace {

using Place = RowIndex::Place;

TEST_CASE("rows are found by their content, earlier outputs and rows first") {
  RowIndex index(5);
  index.add({1, 2}, "a", {1, 3});
  index.add({1, 2}, "b", {0, 9});
  index.add({1, 2}, "c", {0, 4});
  index.add({1, 3}, "d", {0, 5});
  index.add({0, 2}, "e", {0, (std::uint64_t{1} << 40) - 1});
  index.seal();
  CHECK(index.of_content({1, 2}) == std::vector<Place>{{0, 4}, {0, 9}, {1, 3}});
  CHECK(index.of_content({0, 2}) == std::vector<Place>{{0, (std::uint64_t{1} << 40) - 1}});
  CHECK(index.of_content({1, 4}).empty());
  CHECK(index.of_content({2, 0}).empty());
  CHECK(index.memory_bytes() == 5 * 32);
}

TEST_CASE("ids are told apart, and those that nobody kept are counted once") {
  RowIndex index(6);
  for (std::uint64_t row = 0; row < 5; ++row) {
    index.add({row, row}, row < 2 ? "twice" : "r" + std::to_string(row), {0, row});
  }
  index.add({9, 9}, "r4", {1, 0});
  index.seal();
  CHECK(index.left() == 4);
  CHECK(index.has_id("r3"));
  CHECK_FALSE(index.has_id("r5"));
  REQUIRE(index.of_id("twice").size() == 2);
  REQUIRE(index.of_id("r4").size() == 2);
  CHECK(index.of_id("r3").front().content == Hash128{3, 3});
  CHECK(index.of_id("r3").front().place == Place{0, 3});
  index.keep("twice");
  index.keep("twice");
  index.keep("r5");
  CHECK(index.left() == 3);
  index.keep("r4");
  CHECK(index.left() == 2);
  CHECK(index.of_content({1, 1}) == std::vector<Place>{{0, 1}});
}

TEST_CASE("an index without rows knows nothing") {
  RowIndex index(0);
  index.seal();
  CHECK(index.of_content({1, 2}).empty());
  CHECK_FALSE(index.has_id("a"));
  index.keep("a");
  CHECK(index.left() == 0);
}

TEST_CASE("many rows of even and of crowded hashes are found as a map finds them") {
  const bool crowded = GENERATE(false, true);
  std::mt19937_64 random(7);
  std::map<std::uint64_t, std::vector<Place>> expected;
  constexpr std::uint64_t kRows = 20000;
  RowIndex index(kRows);
  const auto content = [&](std::uint64_t number) {
    return crowded ? Hash128{number < 10 ? number : ~std::uint64_t{0} - number, number}
                   : Hash128{hash64(std::to_string(number)), number};
  };
  for (std::uint64_t row = 0; row < kRows; ++row) {
    const std::uint64_t number = random() % (kRows * 2);
    expected[number].push_back({0, row});
    index.add(content(number), "id" + std::to_string(number), {0, row});
  }
  index.seal();
  for (std::uint64_t number = 0; number < kRows * 2; ++number) {
    const auto found = expected.find(number);
    const std::vector<Place> places = index.of_content(content(number));
    REQUIRE(places == (found == expected.end() ? std::vector<Place>() : found->second));
    REQUIRE(index.has_id("id" + std::to_string(number)) == (found != expected.end()));
    REQUIRE(index.of_id("id" + std::to_string(number)).size() == places.size());
  }
  CHECK(index.left() == expected.size());
}

TEST_CASE("a content or an id that all rows share has few answers") {
  RowIndex index(1000);
  for (std::uint64_t row = 0; row < 1000; ++row) {
    index.add({1, 1}, "same", {0, row});
  }
  index.seal();
  CHECK(index.of_content({1, 1}).size() == RowIndex::kMostAnswers);
  CHECK(index.of_content({1, 1}).front() == Place{0, 0});
  CHECK(index.of_id("same").size() == RowIndex::kMostAnswers);
  index.keep("same");
  CHECK(index.left() == 0);
}

}  // namespace
}  // namespace longhaul::store
