// The fakes are held to the contract the real devices keep, and to what they promise the tests.
#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "base/error.hpp"
#include "device/memory_reading.hpp"
#include "fakes/fake_encoder.hpp"
#include "fakes/recording_log.hpp"
#include "plan/window.hpp"

using namespace longhaul;
using namespace longhaul::fakes;
using namespace longhaul::device;

namespace {

encode::HostBatch batch_of(const std::vector<std::vector<std::int64_t>>& rows,
                           std::uint32_t width) {
  encode::HostBatch batch;
  batch.rows = batch.used_rows = static_cast<std::uint32_t>(rows.size());
  batch.width = width;
  for (const auto& row : rows) {
    batch.lengths.push_back(static_cast<std::uint32_t>(row.size()));
    batch.tokens.insert(batch.tokens.end(), row.begin(), row.end());
    batch.tokens.resize(batch.lengths.size() * width, 1);
  }
  return batch;
}

std::vector<std::uint64_t> failed_calls(const FakeDeviceSettings& settings, int calls) {
  FakeDevice device(settings);
  std::vector<std::uint64_t> failed;
  for (int i = 0; i < calls; ++i) {
    try {
      device.enter(1, 8, 1 * plan::cost_per_row(8));
    } catch (const DeviceOutOfMemory&) {
      failed.push_back(device.calls());
    }
  }
  return failed;
}

}  // namespace

TEST_CASE("a fake device fails once, twice or always from the call it is told") {
  FakeDeviceSettings settings;
  settings.fail_at = {2, 6};
  CHECK(failed_calls(settings, 8) == std::vector<std::uint64_t>{2, 6});
  settings.fail_times = 2;
  CHECK(failed_calls(settings, 8) == std::vector<std::uint64_t>{2, 3, 6, 7});
  settings.fail_at = {5};
  settings.fail_times = 0;
  CHECK(failed_calls(settings, 8) == std::vector<std::uint64_t>{5, 6, 7, 8});
}

TEST_CASE("a fake device has a capacity") {
  FakeDeviceSettings settings;
  settings.base_bytes = 1000;
  settings.bytes_per_cost = 10;
  settings.capacity_bytes = 1400;
  FakeDevice device(settings);
  device.enter(4, 8, 4 * plan::cost_per_row(8));
  CHECK_THROWS_AS(device.enter(5, 8, 5 * plan::cost_per_row(8)), DeviceOutOfMemory);
  CHECK(device.failures() == 1);
}

TEST_CASE("caches grow until they are released, leaks never go") {
  FakeDeviceSettings settings;
  settings.kind = DeviceKind::kCuda;
  settings.base_bytes = 1000;
  settings.cache_bytes = 50;
  settings.leak_bytes = 7;
  FakeDevice device(settings);
  device.enter(1, 8, 1 * plan::cost_per_row(8));
  device.enter(1, 8, 1 * plan::cost_per_row(8));
  CHECK(device.memory().allocated == 1014U);
  CHECK(device.memory().reserved == 1114U);
  device.release_cache();
  CHECK(device.memory().reserved == 1014U);
}

TEST_CASE("a driver counter that wraps is dropped by the time it is a reading") {
  FakeDeviceSettings settings;
  settings.kind = DeviceKind::kMps;
  settings.wrap_at = 2;
  FakeDevice device(settings);
  RecordingLog log;
  MemoryReader memory(log);
  device.enter(1, 8, 1 * plan::cost_per_row(8));
  CHECK(memory.read(device).device.driver);
  device.enter(1, 8, 1 * plan::cost_per_row(8));
  CHECK_FALSE(memory.read(device).device.driver);
  CHECK(log.warnings().size() == 1);
}

TEST_CASE("on a CPU the device's allocated bytes are the live ones of the reading") {
  FakeDevice device({});
  RecordingLog log;
  MemoryReader memory(log);
  device.enter(4, 8, 4 * plan::cost_per_row(8));
  const MemoryReading reading = memory.read(device);
  CHECK(reading.live_cpu == 100U << 20);
  CHECK(reading.live_cpu_peak > reading.live_cpu);
  CHECK_FALSE(reading.device.allocated);
}

TEST_CASE("a fake vector depends on the record and its padded length alone") {
  FakeEncoder encoder({});
  const std::vector<std::int64_t> a{0, 4, 5, 2};
  const std::vector<std::int64_t> b{0, 6, 7, 8, 2};
  const encode::EmbeddingBlock both = encoder.encode(batch_of({a, b}, 8)).blocks.front();
  const encode::EmbeddingBlock alone = encoder.encode(batch_of({b}, 8)).blocks.front();
  const encode::EmbeddingBlock wider = encoder.encode(batch_of({b}, 16)).blocks.front();
  const std::vector<float> second(both.values.begin() + 8, both.values.end());
  CHECK(second == alone.values);
  CHECK(alone.values == encoder.vector_of(b, 8, 1));
  CHECK(wider.values != alone.values);
  CHECK(std::set<float>(both.values.begin(), both.values.end()).size() == 16);
}

TEST_CASE("rows that are told to be NaN are, always or only in company") {
  FakeEncoderSettings settings;
  settings.nan_every = 1;
  FakeEncoder always(settings);
  const std::vector<std::int64_t> row{0, 4, 5, 2};
  CHECK(std::isnan(always.encode(batch_of({row}, 8)).blocks.front().values[4]));
  settings.nan_every = 0;
  settings.nan_in_company = 1;
  FakeEncoder company(settings);
  CHECK_FALSE(std::isnan(company.encode(batch_of({row}, 8)).blocks.front().values[4]));
  CHECK(std::isnan(company.encode(batch_of({row, row}, 8)).blocks.front().values[4]));
}

TEST_CASE("a fake encoder refuses a batch that breaks the contract") {
  FakeEncoder encoder({});
  encode::HostBatch batch = batch_of({{0, 4, 5, 2}}, 8);
  batch.tokens[6] = 5;
  CHECK_THROWS_AS(encoder.encode(batch), Error);
  batch = batch_of({{0, 4, 5, 2}}, 8);
  batch.lengths[0] = 9;
  CHECK_THROWS_AS(encoder.encode(batch), Error);
}

TEST_CASE("the fake model's card is a card") {
  const encode::EncoderCard card =
      encode::parse_card(fake_card_text({{"fake", true}, {"dimension", 16}}), "fake");
  CHECK(card.outputs.front().dimension == 16);
  CHECK(card.alphabet.tokens.size() == 33);
  CHECK(card.alphabet.pad == 1);
  CHECK(card.alphabet.tokens[4] == "L");
  CHECK(card.alphabet.tokens[23] == "C");
}
