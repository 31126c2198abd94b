// The pipeline under memory pressure.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "run/pressure_scene.hpp"

using namespace longhaul;
using namespace longhaul::fakes;
using namespace longhaul::run;
using namespace longhaul::run::test;

namespace {

std::set<std::uint64_t> rejected_rows(const Result& result) {
  std::set<std::uint64_t> rows;
  for (const RecordRow& record : result.records) {
    if (record.status == Status::kRejected) {
      rows.insert(record.row);
    }
  }
  return rows;
}

}  // namespace

TEST_CASE("an undisturbed run writes every record's own vector") {
  const Result result = play({});
  require_right(result);
  CHECK(result.failures == 0);
  CHECK(result.report.out_of_memory == 0);
}

TEST_CASE("out of memory at any batch, once or twice, changes nothing that is written") {
  Scene scene;
  scene.records = even_records(300);
  scene.pipeline.batch_rows = 8;
  const std::uint64_t calls = play(scene).calls;
  REQUIRE(calls > 30);
  for (const std::uint64_t at : {std::uint64_t{1}, std::uint64_t{2}, calls / 2, calls - 1}) {
    for (const std::uint64_t times : {1U, 2U}) {
      scene.encoder.device.fail_at = {at};
      scene.encoder.device.fail_times = times;
      const Result result = play(scene);
      INFO("at call " << at << " of " << calls << ", " << times << " times");
      CHECK(result.failures == times);
      CHECK(result.report.out_of_memory == times);
      CHECK(result.releases >= times);
      require_right(result);
    }
  }
}

TEST_CASE("out of memory at the last batch is recovered from") {
  Scene scene;
  scene.records = even_records(256);
  scene.pipeline.batch_rows = 8;
  scene.encoder.device.fail_at = {play(scene).calls};
  const Result result = play(scene);
  CHECK(result.failures == 1);
  require_right(result);
}

TEST_CASE("memory that is lost for good ends the run with 71 and rejects nobody falsely") {
  Scene scene;
  scene.records = even_records(100);
  scene.pipeline.batch_rows = 8;
  scene.encoder.device.fail_at = {5};
  scene.encoder.device.fail_times = 0;
  try {
    play(scene);
    FAIL("it went on");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kMemory);
    CHECK_FALSE(error.remedy().empty());
  }
}

TEST_CASE("a device on which nothing fits rejects each record by name and still finishes") {
  Scene scene;
  scene.records = even_records(100);
  scene.encoder.device.fail_at = {1};
  scene.encoder.device.fail_times = 0;
  const Result result = play(scene);
  const std::set<std::uint64_t> rejected = rejected_rows(result);
  CHECK(rejected.size() == 100);
  CHECK(result.report.counters.rejected_by_reason.at("out_of_memory") == 100);
  CHECK(result.report.end == RunEnd::kComplete);
  require_right(result, rejected);
}

TEST_CASE("a record alone in its batch gets a second chance after the caches are released") {
  Scene scene;
  scene.records = even_records(20);
  scene.pipeline.batch_rows = 1;
  scene.encoder.device.fail_at = {7};
  const Result once = play(scene);
  CHECK(once.failures == 1);
  require_right(once);
  scene.encoder.device.fail_times = 2;
  CHECK_THROWS_AS(play(scene), Error);
}

TEST_CASE("whatever the device's capacity, everything that fits alone is written the same") {
  for (const double capacity : {150.0, 300.0, 700.0, 1500.0}) {
    Scene scene;
    scene.encoder.device.capacity_cost = capacity;
    const Result result = play(scene);
    INFO("capacity " << capacity);
    CHECK(result.failures > 0);
    require_right(result);
  }
}

TEST_CASE("records that do not fit alone are rejected, and only they") {
  Scene scene;
  scene.encoder.device.capacity_cost = plan::cost_per_row(64);
  const Result result = play(scene);
  std::set<std::uint64_t> too_big;
  for (const Record& record : scene.records) {
    if (record.payload.size() + 2 > 64) {
      too_big.insert(record.row);
    }
  }
  REQUIRE(too_big.size() > 50);
  require_right(result, too_big);
}

TEST_CASE("a fresh ceiling is not met again by what was already prepared") {
  Scene scene;
  scene.records = even_records(640);
  scene.encoder.device.capacity_cost = 2100;  // the start budget is 4,000: half of it fits
  const Result result = play(scene);
  CHECK(result.failures == 1);
  require_right(result);
}

TEST_CASE("caches are released every N batches and at the end") {
  Scene scene;
  scene.records = even_records(320);
  scene.pipeline.batch_rows = 8;
  scene.pipeline.clear_cache_every = 10;
  const Result result = play(scene);
  CHECK(result.report.cache_clears == result.report.batches / 10 + 1);
  CHECK(result.releases == result.report.cache_clears);
  scene.pipeline.clear_cache_every = 0;
  CHECK(play(scene).releases == 1);
}

TEST_CASE("a counter that lies changes nothing but the warning") {
  Scene scene;
  scene.encoder.device.kind = device::DeviceKind::kMps;
  scene.governor.device_limit_bytes = 1ULL << 30;
  scene.pipeline.batch_rows = 4;
  scene.read_memory = true;
  const Result honest = play(scene);
  scene.encoder.device.wrap_at = 3;
  const Result lying = play(scene);
  require_right(lying);
  CHECK(lying.calls == honest.calls);
  CHECK(lying.warnings.size() == honest.warnings.size() + 1);
}

TEST_CASE("a leaking encoder is noticed while it runs, and stops or recycles it if asked") {
  Scene scene;
  scene.records = generated_records(12500, 20);
  scene.pipeline.batch_rows = 1;
  scene.read_memory = true;
  scene.encoder.device.leak_bytes = 5000;
  const Result warned = play(scene);
  CHECK(warned.leak == device::LeakVerdict::kGrowing);
  REQUIRE(warned.warnings.size() == 1);
  CHECK(warned.warnings[0].find("live tensors") != std::string::npos);
  CHECK(warned.report.end == RunEnd::kComplete);

  scene.on_leak = LeakAction::kRecycle;
  CHECK(play(scene).report.end == RunEnd::kRecycle);
  scene.on_leak = LeakAction::kStop;
  CHECK(play(scene).report.end == RunEnd::kInterrupted);
  scene.encoder.device.leak_bytes = 0;
  const Result sound = play(scene);
  CHECK(sound.leak == device::LeakVerdict::kFlat);
  CHECK(sound.report.end == RunEnd::kComplete);
}
