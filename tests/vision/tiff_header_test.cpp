#include "vision/tiff_header.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace longhaul;
using namespace longhaul::vision;

namespace {

// One entry: BitsPerSample, four numbers of 16 bits that lie at byte 26.
const std::string kFile(
    "MM\0*\0\0\0\x08"
    "\0\x01"
    "\x01\x02\0\x03\0\0\0\x04\0\0\0\x1a"
    "\0\0\0\0\0\x08\0\x08\0\x08\0\x08",
    34);

std::optional<TiffHeader> header_of(const std::string& bytes) {
  std::optional<Defect> defect;
  return read_tiff_header({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                          defect);
}

}  // namespace

TEST_CASE("a TIFF directory that is cut inside an entry is none: no number is read elsewhere") {
  REQUIRE(kFile.size() == 34);
  const std::optional<TiffHeader> whole = header_of(kFile);
  REQUIRE(whole);
  CHECK(whole->bits == 8);
  CHECK(whole->equal_bits);
  for (std::size_t size = 0; size < 22; ++size) {
    CAPTURE(size);
    CHECK_FALSE(header_of(kFile.substr(0, size)));
  }
}
