#include "encode/golden.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"

using namespace longhaul;
using namespace longhaul::encode;

namespace {

EncoderCard card_for_sequences() {
  EncoderCard card;
  card.alphabet.tokens = {"-", "^", "$", "A", "C"};
  card.alphabet.prepend = 1;
  card.alphabet.append = 2;
  card.alphabet.allowed = "AC";
  return card;
}

}  // namespace

TEST_CASE("a golden sequence becomes a row without padding") {
  const HostBatch batch = golden_batch(card_for_sequences(), "CAC");
  CHECK(batch.rows == 1);
  CHECK(batch.width == 5);
  CHECK(batch.tokens == std::vector<std::int64_t>{1, 4, 3, 4, 2});
  CHECK(batch.lengths == std::vector<std::uint32_t>{5});
}

TEST_CASE("a golden sequence outside the alphabet or too long is refused") {
  EncoderCard card = card_for_sequences();
  CHECK_THROWS_AS(golden_batch(card, "CAD"), Error);
  CHECK_THROWS_AS(golden_batch(card, "ca"), Error);
  card.max_tokens = 4;
  CHECK_NOTHROW(golden_batch(card, "CA"));
  CHECK_THROWS_AS(golden_batch(card, "CAC"), Error);
}

TEST_CASE("a golden image is a pattern in the card's layout") {
  EncoderCard card;
  card.modality = Modality::kImage;
  card.image.size = 5;
  const HostBatch planes = golden_batch(card, "pattern:3");
  REQUIRE(planes.pixels.size() == 75);
  card.image.layout = "NHWC";
  const HostBatch interleaved = golden_batch(card, "pattern:3");
  // Channel 2 at y 4, x 3: 3*11 + 4*19 + 12/16 + 93 = 202.
  CHECK(pattern_pixel(2, 4, 3, 3) == 202);
  CHECK(planes.pixels[2 * 25 + 4 * 5 + 3] == 202);
  CHECK(interleaved.pixels[(4 * 5 + 3) * 3 + 2] == 202);
  CHECK(pattern_pixel(0, 100, 200, 0) == (200 * 7 + 100 * 13 + 100 * 200 / 16) % 256);
  CHECK_THROWS_AS(golden_batch(card, "noise"), Error);
  CHECK_THROWS_AS(golden_batch(card, "pattern:-1"), Error);
}
