#include "plan/batch_tuner.hpp"

#include <catch2/catch.hpp>
#include <functional>

using namespace longhaul;

namespace {

// Runs full batches at `rate(tokens)` tokens per second until the tuner has settled.
std::uint64_t settle(BatchTuner& tuner, const std::function<double(std::uint64_t)>& rate) {
  for (int i = 0; i < 1000 && !tuner.settled(); ++i) {
    const std::uint64_t target = tuner.target();
    tuner.measured(target, target, static_cast<double>(target) / rate(target));
  }
  REQUIRE(tuner.settled());
  return tuner.target();
}

}  // namespace

TEST_CASE("the fastest size is kept") {
  BatchTuner tuner({1024, 2048, 4096, 8192});
  CHECK(settle(tuner, [](std::uint64_t tokens) { return tokens == 4096 ? 3000.0 : 2000.0; }) ==
        4096);
  CHECK(tuner.summary().find("4,096 padded tokens (tokens/s: ") == 0);
}

TEST_CASE("of sizes that are as fast the smallest is kept") {
  BatchTuner tuner({1024, 2048, 4096});
  CHECK(settle(tuner, [](std::uint64_t tokens) {
          return 1000.0 + static_cast<double>(tokens) / 1e3;
        }) == 1024);
}

TEST_CASE("batches that are not full say nothing") {
  BatchTuner tuner({1024, 2048});
  for (int i = 0; i < 100; ++i) {
    tuner.measured(1024, 100, 1.0);
  }
  CHECK_FALSE(tuner.settled());
  CHECK(tuner.target() == 1024);
}

TEST_CASE("a size that no batch reaches is given up, and those that were measured decide") {
  BatchTuner tuner({1024, 2048, 4096, 8192});
  for (int i = 0; i < 4; ++i) {
    tuner.measured(1024, 1024, 1.0);
  }
  for (int i = 0; i < 4; ++i) {
    tuner.measured(2048, 2048, 1.0);
  }
  for (int i = 0; i < 7; ++i) {
    tuner.measured(4096, 2500, 1.0);
  }
  CHECK_FALSE(tuner.settled());
  tuner.measured(4096, 4000, 1.0);  // one that is full begins the count anew
  for (int i = 0; i < 8; ++i) {
    CHECK_FALSE(tuner.settled());
    tuner.measured(4096, 2500, 1.0);
  }
  CHECK(tuner.settled());
  CHECK(tuner.target() == 2048);
  CHECK(tuner.summary() == "2,048 padded tokens (tokens/s: 1,024 at 1,024, 2,048 at 2,048)");
}

TEST_CASE("a batch cut for an earlier size counts for that size") {
  BatchTuner tuner({1024, 2048});
  for (int i = 0; i < 4; ++i) {
    tuner.measured(1024, 1024, 1.0);
  }
  CHECK(tuner.target() == 2048);
  tuner.measured(1024, 1024, 0.1);
  for (int i = 0; i < 4; ++i) {
    tuner.measured(2048, 2048, 1.0);
  }
  CHECK(tuner.target() == 1024);
}

TEST_CASE("one size needs no finding") {
  const BatchTuner tuner({512});
  CHECK(tuner.settled());
  CHECK(tuner.target() == 512);
}
