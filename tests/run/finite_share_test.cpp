#include "run/finite_share.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"

using longhaul::Error;
using longhaul::run::FiniteShare;

TEST_CASE("a few vectors that are not finite are no share") {
  FiniteShare share(0, 0);
  CHECK_NOTHROW(share.add(9, 9));
  CHECK_THROWS_AS(share.add(1, 1), Error);
}

TEST_CASE("one in a hundred may be not finite, over all sessions") {
  FiniteShare share(0, 0);
  CHECK_NOTHROW(share.add(2000, 20));
  CHECK_THROWS_AS(share.add(1, 1), Error);
  FiniteShare next(1900, 19);
  CHECK_NOTHROW(next.add(100, 1));
  CHECK_THROWS_AS(next.add(99, 1), Error);
}
