#include "base/start_thread.hpp"

#include <catch2/catch.hpp>

using namespace longhaul;

TEST_CASE("as many threads as were asked for can run, and are gone afterwards") {
  require_threads(0);
  require_threads(8);
  int runs = 0;
  start_thread([&] { ++runs; }).join();
  CHECK(runs == 1);
}
