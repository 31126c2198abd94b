#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "device/memory_reading.hpp"
#include "fakes/recording_log.hpp"

using namespace longhaul;
using namespace longhaul::fakes;
using namespace longhaul::device;

namespace {

constexpr std::uint64_t kGiB = 1ULL << 30;

MemoryReading plausible() {
  MemoryReading reading;
  reading.rss = 3 * kGiB;
  reading.total = 24 * kGiB;
  reading.device.allocated = 5 * kGiB;
  reading.device.driver = 8 * kGiB;
  reading.device.recommended = 18 * kGiB;
  return reading;
}

}  // namespace

TEST_CASE("67108914.49 GiB of driver memory is dropped, with the raw number in one warning") {
  // Seen on a 24 GB Mac: 2^56 bytes too many, printed as "other allocations: 67108914.49 GiB".
  const auto other = static_cast<std::uint64_t>(67108914.49 * static_cast<double>(kGiB));
  REQUIRE(other > (1ULL << 56));
  RecordingLog log;
  MemorySanity sanity(log);
  MemoryReading reading = plausible();
  reading.device.driver = other + *reading.device.allocated;
  for (int i = 0; i < 3; ++i) {
    const MemoryReading checked = sanity.checked(reading);
    CHECK_FALSE(checked.device.driver);
    CHECK(checked.device.allocated == 5 * kGiB);
    CHECK(checked.rss == 3 * kGiB);
    CHECK(memory_line(0, 1, 1, checked)["device_driver"].is_null());
  }
  REQUIRE(log.warnings().size() == 1);
  CHECK(log.warnings()[0].find(std::to_string(*reading.device.driver)) != std::string::npos);
  CHECK(log.warnings()[0].find("device_driver") != std::string::npos);
}

TEST_CASE("a plausible reading passes unchanged and unremarked") {
  RecordingLog log;
  MemorySanity sanity(log);
  const MemoryReading checked = sanity.checked(plausible());
  CHECK(checked.device.driver == 8 * kGiB);
  CHECK(checked.device.allocated == 5 * kGiB);
  CHECK(checked.rss == 3 * kGiB);
  CHECK(log.lines.empty());
}

TEST_CASE("driver memory above physical memory is dropped where the device has none of its own") {
  RecordingLog log;
  MemorySanity sanity(log);
  MemoryReading reading = plausible();
  reading.device.driver = 25 * kGiB;
  CHECK_FALSE(sanity.checked(reading).device.driver);
  reading.device.total = 80 * kGiB;
  CHECK(sanity.checked(reading).device.driver == 25 * kGiB);
}

TEST_CASE("more live tensors than the driver or the allocator holds cannot be") {
  RecordingLog log;
  MemorySanity sanity(log);
  MemoryReading reading = plausible();
  reading.device.allocated = 9 * kGiB;
  CHECK_FALSE(sanity.checked(reading).device.allocated);
  CHECK(sanity.checked(reading).device.driver == 8 * kGiB);
  reading = plausible();
  reading.device.reserved = 4 * kGiB;
  CHECK_FALSE(sanity.checked(reading).device.allocated);
  CHECK(log.warnings().size() == 1);
}

TEST_CASE("a difference that wrapped below zero is dropped and shown as the signed number") {
  RecordingLog log;
  MemorySanity sanity(log);
  MemoryReading reading = plausible();
  reading.live_cpu = std::uint64_t{0} - 4096;
  CHECK_FALSE(sanity.checked(reading).live_cpu);
  REQUIRE(log.warnings().size() == 1);
  CHECK(log.warnings()[0].find("18446744073709547520") != std::string::npos);
  CHECK(log.warnings()[0].find("-4096") != std::string::npos);
}

TEST_CASE("each field warns for itself, and a counter that recovers is used again") {
  RecordingLog log;
  MemorySanity sanity(log);
  MemoryReading reading = plausible();
  reading.device.free = ~0ULL;
  reading.rss = 30 * kGiB;
  MemoryReading checked = sanity.checked(reading);
  CHECK_FALSE(checked.device.free);
  CHECK_FALSE(checked.rss);
  CHECK(log.warnings().size() == 2);
  CHECK(sanity.dropped().size() == 2);
  CHECK(sanity.checked(plausible()).rss == 3 * kGiB);
}

TEST_CASE("subtraction that would wrap gives nothing") {
  CHECK(checked_difference(5, 3) == 2U);
  CHECK(checked_difference(3, 3) == 0U);
  CHECK_FALSE(checked_difference(3, 5));
}
