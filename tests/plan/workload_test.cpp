#include "plan/workload.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace longhaul;
using namespace longhaul::plan;

namespace {

Workload of(std::uint32_t width, std::uint64_t rows) {
  Workload work;
  work.add(width, rows);
  return work;
}

}  // namespace

TEST_CASE("a window's workload is that of its parts, dummies included") {
  const std::vector<Shape> shapes{{0, 8}, {1, 8}, {2, 8}, {3, 16}, {4, 5}};
  const Workload work = workload_of(order_window(shapes, {}), {.part_tokens = 24, .rows_fixed = 0});
  CHECK(work.tokens == std::map<std::uint32_t, std::uint64_t>{{8, 48}, {16, 16}});
  CHECK(work.total() == 64);
}

TEST_CASE("consecutive records are padded to their group's longest, and the last group is short") {
  const std::vector<Shape> shapes{{0, 5}, {1, 9}, {2, 7}};
  const OrderSettings settings{.order = Order::kInput, .group_rows = 2, .max_tokens = {}};
  CHECK(workload_of(order_window(shapes, settings), {}).tokens ==
        std::map<std::uint32_t, std::uint64_t>{{9, 18}, {7, 7}});
}

TEST_CASE("what is done is taken from what is left") {
  Workload left = of(8, 10);
  left.add(of(16, 4));
  left.take(of(8, 3));
  left.take(of(16, 9));
  CHECK(left.tokens == std::map<std::uint32_t, std::uint64_t>{{8, 56}, {16, 0}});
}

TEST_CASE("widths that were timed are told as they were, others from their neighbours") {
  TokenTimes times;
  CHECK_FALSE(times.seconds_of(of(8, 1)));
  times.learn(of(100, 10), 1.0);  // 1 ms a token
  times.learn(of(200, 10), 6.0);  // 3 ms
  CHECK(*times.seconds_of(of(100, 1)) == Approx(0.1));
  CHECK(*times.seconds_of(of(200, 2)) == Approx(1.2));
  CHECK(*times.seconds_of(of(150, 1)) == Approx(0.3));  // 2 ms
}

TEST_CASE("widths beyond those that were timed follow a model's usual shape") {
  TokenTimes times;
  times.learn(of(100, 10), 1.0);  // 1 ms a token
  CHECK(*times.seconds_of(of(50, 1)) ==
        Approx(0.05 * (1 + 50 / kQuadraticWidth) / (1 + 100 / kQuadraticWidth)));
  CHECK(*times.seconds_of(of(400, 1)) ==
        Approx(0.4 * (1 + 400 / kQuadraticWidth) / (1 + 100 / kQuadraticWidth)));
}

TEST_CASE("how steeply time grows with the width is learnt where widths lie apart") {
  const auto learnt = [](double quadratic_width, double noise) {
    TokenTimes times;
    double sign = 1;
    for (const std::uint32_t width : {1024U, 896U, 768U, 640U, 512U}) {
      sign = -sign;
      times.learn(of(width, 8), 8e-3 * width * (1 + width / quadratic_width) * (1 + sign * noise));
    }
    return *times.seconds_of(of(128, 8)) / (8e-3 * 128 * (1 + 128 / quadratic_width));
  };
  for (const double quadratic_width : {256.0, 512.0, 1024.0, 2048.0, 4096.0, 16384.0}) {
    INFO(quadratic_width);
    CHECK(learnt(quadratic_width, 0) == Approx(1).margin(0.04));
    CHECK(learnt(quadratic_width, 0.03) == Approx(1).margin(0.12));
  }
  // Two widths that lie close together say nothing but noise.
  TokenTimes times;
  times.learn(of(1024, 8), 1.02 * 1024 * (1 + 1024 / kQuadraticWidth));
  times.learn(of(960, 8), 0.98 * 960 * (1 + 960 / kQuadraticWidth));
  CHECK(*times.seconds_of(of(128, 8)) == Approx(0.98 * 128 * (1 + 128 / kQuadraticWidth)));
}

TEST_CASE("a batch of several widths is shared among them as far as they are known") {
  TokenTimes times;
  times.learn(of(100, 10), 1.0);
  times.learn(of(200, 10), 6.0);
  Workload both = of(100, 10);
  both.add(of(200, 10));
  times.learn(both, 14.0);  // twice as slow
  CHECK(*times.seconds_of(both) > 7.0);
  CHECK(*times.seconds_of(both) < 14.0);
  CHECK(*times.seconds_of(of(200, 10)) / *times.seconds_of(of(100, 10)) == Approx(6.0));
}

TEST_CASE("a speed that changes is followed") {
  TokenTimes times;
  for (int i = 0; i < 50; ++i) {
    times.learn(of(64, 8), 0.1);
  }
  for (int i = 0; i < 50; ++i) {
    times.learn(of(64, 8), 0.3);
  }
  CHECK(*times.seconds_of(of(64, 8)) == Approx(0.3).epsilon(0.02));
}

TEST_CASE("a batch during which the process was stopped is not learnt from, a slow machine is") {
  TokenTimes times;
  times.learn(of(64, 8), 0.1);
  times.learn(of(64, 8), 3600);
  CHECK(*times.seconds_of(of(64, 8)) == Approx(0.1));
  times.learn(of(64, 8), 0.1);
  times.learn(of(64, 8), 60);
  times.learn(of(64, 8), 60);
  CHECK(*times.seconds_of(of(64, 8)) > 10);
}
