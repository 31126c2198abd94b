#include "base/worker_pool.hpp"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <stdexcept>
#include <vector>

TEST_CASE("a pool runs every item once, and gives back what an item throws") {
  longhaul::WorkerPool pool(4);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::atomic<int>> counts(static_cast<std::size_t>(round));
    pool.run(counts.size(), [&](std::size_t i) { ++counts[i]; });
    REQUIRE(
        std::all_of(counts.begin(), counts.end(), [](const auto& count) { return count == 1; }));
  }
  CHECK_THROWS_AS(pool.run(50,
                           [](std::size_t i) {
                             if (i == 20) {
                               throw std::runtime_error("item");
                             }
                           }),
                  std::runtime_error);
  std::atomic<int> after{0};
  pool.run(3, [&](std::size_t) { ++after; });
  CHECK(after == 3);
}
