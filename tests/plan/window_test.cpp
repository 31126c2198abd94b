#include "plan/window.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace longhaul;
using namespace longhaul::plan;

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

TEST_CASE("between fine rungs a sixty-fourth is padding at most") {
  for (std::uint32_t tokens = 1; tokens <= 5000; ++tokens) {
    const std::uint32_t rung = rung_of(tokens, std::nullopt, Rungs::kFine);
    INFO(tokens << " to " << rung);
    REQUIRE(rung >= tokens);
    REQUIRE((rung - tokens) * 64 <= tokens);
    REQUIRE(rung_of(rung, std::nullopt, Rungs::kFine) == rung);
  }
  CHECK(rung_of(128, std::nullopt, Rungs::kFine) == 128);
  CHECK(rung_of(129, std::nullopt, Rungs::kFine) == 130);
  CHECK(rung_of(257, std::nullopt, Rungs::kFine) == 260);
  CHECK(rung_of(1001, 1002, Rungs::kFine) == 1002);
  OrderSettings settings;
  settings.rungs = Rungs::kFine;
  const std::vector<Slot> order = order_window(std::vector<Shape>{{0, 131}, {1, 7}}, settings);
  CHECK((order[0].width == 132 && order[1].width == 7));
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

namespace {

constexpr double kPlenty = 1e9;

BatchLimits limits(std::optional<std::uint32_t> rows, std::optional<std::uint64_t> tokens = {}) {
  return {.rows = rows, .tokens = tokens, .budget = kPlenty, .work = kPlenty, .concurrency = 1};
}

// Six slots of 128 tokens, then four of 64.
std::vector<Slot> two_widths() {
  std::vector<Slot> order;
  for (std::uint32_t i = 0; i < 10; ++i) {
    order.push_back({i, i < 6 ? 128U : 64U, 0});
  }
  return order;
}

}  // namespace

TEST_CASE("a part's rows follow from its width alone") {
  const RowsPolicy tokens{.part_tokens = 1024, .rows_fixed = 0};
  CHECK(tokens.rows(8) == 128);
  CHECK(tokens.rows(120) == 8);
  CHECK(tokens.rows(128) == 8);
  CHECK(tokens.rows(136) == 7);
  CHECK(tokens.rows(1024) == 1);
  CHECK(tokens.rows(4096) == 1);
  const RowsPolicy images{.part_tokens = 0, .rows_fixed = 4};
  CHECK(images.rows(1) == 4);
}

TEST_CASE("a part holds one width, and its rows whatever the limits") {
  const std::vector<Slot> order = two_widths();
  const RowsPolicy policy{.part_tokens = 512, .rows_fixed = 0};
  const std::vector<Part> all = cut_batch(order, 0, policy, limits({}));
  REQUIRE(all.size() == 3);
  CHECK((all[0].count == 4 && all[0].rows == 4 && all[0].width == 128));
  CHECK((all[1].count == 2 && all[1].rows == 4 && all[1].width == 128));
  CHECK((all[2].count == 4 && all[2].rows == 8 && all[2].width == 64));
  CHECK(all[2].first == 6);
  for (const BatchLimits& tight :
       {limits(1), limits({}, 1), BatchLimits{.rows = {}, .tokens = {}, .budget = 0, .work = 0}}) {
    const std::vector<Part> one = cut_batch(order, 0, policy, tight);
    REQUIRE(one.size() == 1);
    CHECK((one[0].count == 4 && one[0].rows == 4));
  }
}

TEST_CASE("whole parts are in hand, within every limit") {
  const std::vector<Slot> order = two_widths();
  const RowsPolicy policy{.part_tokens = 256, .rows_fixed = 0};  // 2 rows of 128, 4 of 64
  const auto parts = [&](const BatchLimits& limits) {
    return cut_batch(order, 0, policy, limits).size();
  };
  CHECK(parts(limits({})) == 4);
  CHECK(parts(limits(5)) == 2);
  CHECK(parts(limits({}, 600)) == 2);
  const double cost = 2 * cost_per_row(128);
  BatchLimits budget{.rows = {}, .tokens = {}, .budget = 2 * cost, .work = kPlenty};
  CHECK(parts(budget) == 4);  // one at a time: less than the budget
  budget.concurrency = 3;
  CHECK(parts(budget) == 2);
  CHECK(parts({.rows = {}, .tokens = {}, .budget = kPlenty, .work = 3 * cost}) == 3);
}

TEST_CASE("what is in memory at a time are the dearest parts") {
  const std::vector<Part> parts{{0, 1, 64, 4}, {1, 1, 128, 4}, {2, 1, 8, 4}};
  CHECK(cost_at_a_time(parts, 1) == parts[1].cost());
  CHECK(cost_at_a_time(parts, 2) == parts[0].cost() + parts[1].cost());
  CHECK(cost_at_a_time(parts, 9) == parts[0].cost() + parts[1].cost() + parts[2].cost());
}

TEST_CASE("groups of input order are parts, of as many rows as they have") {
  const std::vector<Shape> shapes{{0, 10}, {1, 13}, {2, 5}, {3, 13}, {4, 4}};
  const std::vector<Slot> order =
      order_window(shapes, {.order = Order::kInput, .group_rows = 2, .max_tokens = std::nullopt});
  const std::vector<Part> parts = cut_batch(order, 0, {}, limits({}));
  REQUIRE(parts.size() == 3);
  CHECK((parts[0].rows == 2 && parts[0].width == 13));
  CHECK((parts[1].rows == 2 && parts[1].width == 13));
  CHECK((parts[2].rows == 1 && parts[2].width == 4));
}

TEST_CASE("every record is cut exactly once whatever the limits") {
  std::vector<Shape> shapes;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    shapes.push_back({i, 1 + (i * 7919) % 600});
  }
  const std::vector<Slot> order = order_window(shapes, {});
  const RowsPolicy policy{.part_tokens = 1024, .rows_fixed = 0};
  for (const std::uint32_t rows : {1U, 3U, 32U, 5000U}) {
    std::vector<int> seen(shapes.size());
    for (std::size_t at = 0; at < order.size();) {
      for (const Part& part : cut_batch(order, at, policy, limits(rows))) {
        CHECK(part.first == at);
        CHECK(part.rows == policy.rows(part.width));
        for (std::size_t i = at; i < at + part.count; ++i) {
          CHECK(order[i].width == part.width);
          ++seen[order[i].index];
        }
        at += part.count;
      }
    }
    CHECK(std::count(seen.begin(), seen.end(), 1) == 1000);
  }
}
