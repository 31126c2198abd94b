#include "plan/window.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace longhaul;

TEST_CASE("a rung depends on the record's own length alone") {
  CHECK(rung_of(1, std::nullopt) == 8);
  CHECK(rung_of(8, std::nullopt) == 8);
  CHECK(rung_of(122, std::nullopt) == 128);
  CHECK(rung_of(512, std::nullopt) == 512);
  CHECK(rung_of(513, std::nullopt) == 544);
  CHECK(rung_of(2049, std::nullopt) == 2176);
  CHECK(rung_of(1021, 1024) == 1024);
  CHECK(rung_of(509, 510) == 510);
}

TEST_CASE("length order sorts by rung, longest first, and keeps input order within a rung") {
  const std::vector<Shape> shapes{{0, 10}, {1, 100}, {3, 12}, {4, 97}};
  const std::vector<Slot> order = order_window(shapes, {});
  REQUIRE(order.size() == 4);
  CHECK(order[0].index == 1);
  CHECK(order[1].index == 4);
  CHECK(order[2].index == 0);
  CHECK(order[3].index == 3);
  CHECK(order[0].width == 104);
  CHECK(order[3].width == 16);
}

TEST_CASE("input order pads each group to its longest record") {
  const std::vector<Shape> shapes{{0, 10}, {1, 13}, {2, 5}, {3, 6}, {4, 4}};
  const std::vector<Slot> order =
      order_window(shapes, {.order = Order::kInput, .group_rows = 2, .max_tokens = std::nullopt});
  REQUIRE(order.size() == 5);
  CHECK(order[0].width == 13);
  CHECK(order[1].width == 13);
  CHECK(order[2].width == 6);
  CHECK(order[3].width == 6);
  CHECK(order[4].width == 4);
  CHECK(order[4].group == 2);
}

TEST_CASE("a batch holds one width and stays within every limit") {
  std::vector<Slot> order;
  for (std::uint32_t i = 0; i < 10; ++i) {
    order.push_back({i, i < 6 ? 128U : 64U, 0});
  }
  const double plenty = 1e9;
  CHECK(cut_batch(order, 0, {.rows = 4, .tokens = {}, .budget = plenty}) == 4);
  CHECK(cut_batch(order, 4, {.rows = 4, .tokens = {}, .budget = plenty}) == 2);
  CHECK(cut_batch(order, 6, {.rows = {}, .tokens = {}, .budget = plenty}) == 4);
  CHECK(cut_batch(order, 0, {.rows = {}, .tokens = 300, .budget = plenty}) == 2);
  CHECK(cut_batch(order, 0, {.rows = {}, .tokens = {}, .budget = 3 * cost_per_row(128)}) == 3);
  CHECK(cut_batch(order, 0, {.rows = {}, .tokens = 1, .budget = 0}) == 1);
}

TEST_CASE("every record is cut exactly once whatever the limits") {
  std::vector<Shape> shapes;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    shapes.push_back({i, 1 + (i * 7919) % 600});
  }
  const std::vector<Slot> order = order_window(shapes, {});
  for (const std::uint32_t rows : {1U, 3U, 32U, 5000U}) {
    std::vector<int> seen(shapes.size());
    for (std::size_t at = 0; at < order.size();) {
      const std::uint32_t count = cut_batch(order, at, {.rows = rows, .tokens = {}, .budget = 1e9});
      for (std::size_t i = at; i < at + count; ++i) {
        CHECK(order[i].width == order[at].width);
        ++seen[order[i].index];
      }
      at += count;
    }
    CHECK(std::count(seen.begin(), seen.end(), 1) == 1000);
  }
}
