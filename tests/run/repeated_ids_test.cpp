#include "run/repeated_ids.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace longhaul;
using namespace longhaul::run;

TEST_CASE("an id repeats when it was given before") {
  RepeatedIds ids;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 50'000; ++i) {
      REQUIRE(ids.repeats("id " + std::to_string(i)) == (round == 1));
    }
  }
  CHECK_FALSE(ids.overflowed());
}

TEST_CASE("beyond the ids it may remember, the count is a lower bound and says so") {
  RepeatedIds ids(1000);
  for (int i = 0; i < 1000; ++i) {
    REQUIRE_FALSE(ids.repeats(std::to_string(i)));
  }
  CHECK(ids.repeats("999"));
  CHECK_FALSE(ids.overflowed());
  CHECK_FALSE(ids.repeats("new"));
  CHECK(ids.overflowed());
  CHECK_FALSE(ids.repeats("new"));
  CHECK(ids.repeats("0"));
}
