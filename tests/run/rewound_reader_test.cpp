#include "run/rewound_reader.hpp"

#include <catch2/catch.hpp>

#include "fakes/vector_reader.hpp"

using namespace longhaul;
using namespace longhaul::fakes;
using namespace longhaul::run;

namespace {

std::unique_ptr<RewoundReader> rewound(std::uint64_t records, std::uint64_t ahead) {
  return std::make_unique<RewoundReader>(
      std::make_unique<VectorReader>(generated_records(records, 20)), ahead);
}

}  // namespace

TEST_CASE("what was looked at is given again, in order, and then the rest") {
  const auto reader = rewound(10, 4);
  CHECK(reader->ahead().size() == 4);
  CHECK(reader->ahead().back().record.id == "r3");
  for (std::uint64_t i = 0; i < 10; ++i) {
    CHECK(reader->position().row == i);
    const auto record = reader->next();
    REQUIRE(record);
    CHECK(record->row == i);
  }
  CHECK_FALSE(reader->next());
  CHECK(reader->position().row == 10);
}

TEST_CASE("an input that is shorter gives what it has") {
  const auto reader = rewound(3, 8);
  CHECK(reader->ahead().size() == 3);
  CHECK(reader->next()->id == "r0");
}

TEST_CASE("going elsewhere forgets what was read ahead") {
  const auto reader = rewound(10, 4);
  REQUIRE(reader->seek({7, 7, "at=7"}));
  CHECK(reader->ahead().empty());
  CHECK(reader->next()->id == "r7");
}
