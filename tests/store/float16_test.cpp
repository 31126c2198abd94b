#include "store/float16.hpp"

#include <catch2/catch.hpp>
#include <cmath>

using namespace longhaul;
using namespace longhaul::store;

TEST_CASE("every half survives the way to float and back") {
  for (std::uint32_t half = 0; half <= 0xFFFF; ++half) {
    const auto bits = static_cast<std::uint16_t>(half);
    const float value = from_half(bits);
    if (std::isnan(value)) {
      CHECK(std::isnan(from_half(to_half(value))));
    } else if (to_half(value) != bits) {
      FAIL("half " << half << " became " << to_half(value));
    }
  }
}

TEST_CASE("halfway values go to the even neighbour, others to the nearer") {
  for (std::uint16_t low = 0; low < 0x7BFF; ++low) {
    const auto high = static_cast<std::uint16_t>(low + 1);
    const float below = from_half(low);
    const float middle = below + (from_half(high) - below) / 2;
    const bool right = to_half(middle) == (low % 2 == 0 ? low : high) &&
                       to_half(std::nextafter(middle, 0.0F)) == low &&
                       to_half(std::nextafter(middle, 1e9F)) == high &&
                       to_half(-middle) == (0x8000 | (low % 2 == 0 ? low : high));
    if (!right) {
      FAIL("between " << low << " and " << high);
    }
  }
  CHECK(half_overflows(65520.0F));
  CHECK_FALSE(half_overflows(std::nextafter(65520.0F, 0.0F)));
  CHECK(to_half(std::nextafter(65520.0F, 0.0F)) == 0x7BFF);
}
