// The pipeline under memory pressure, driven by a device and an encoder whose every number is
// known: what is written must be what an undisturbed run writes, bit for bit.
#include <catch2/catch.hpp>
#include <cmath>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/error.hpp"
#include "fakes/fake_encoder.hpp"
#include "fakes/memory_store.hpp"
#include "fakes/recording_log.hpp"
#include "fakes/vector_reader.hpp"
#include "prepare/sequence_preprocessor.hpp"
#include "run/pipeline.hpp"

using namespace longhaul;
using namespace longhaul::fakes;
using namespace longhaul::run;

namespace {

constexpr std::uint32_t kWindow = 64;

struct Result {
  RunReport report;
  std::map<std::uint64_t, std::vector<float>> vectors;
  std::vector<RecordRow> records;
  std::uint64_t calls = 0;
  std::uint64_t failures = 0;
  std::uint64_t releases = 0;
  nlohmann::json governor;
  device::LeakVerdict leak{};
  std::vector<std::string> warnings;
  std::vector<std::vector<float>> expected;  // by row
};

struct Scene {
  FakeEncoderSettings encoder;
  PipelineSettings pipeline;
  plan::GovernorSettings governor{
      .start_budget = 4000, .host_limit_bytes = std::nullopt, .device_limit_bytes = std::nullopt};
  std::vector<Record> records = generated_records(300, 120);
  LeakAction on_leak = LeakAction::kContinue;
  bool read_memory = false;
};

// What a row must be: a function of the record alone.
std::vector<float> expected_vector(const FakeEncoder& encoder, const prepare::Prepared& prepared,
                                   const encode::EncoderCard& card) {
  const std::vector<std::int64_t> tokens(prepared.token_ids.begin(), prepared.token_ids.end());
  const std::uint32_t width = plan::rung_of(prepared.tokens, card.max_tokens);
  const auto in_rows = [&](std::uint32_t rows) { return encoder.vector_of(tokens, width, rows); };
  const std::vector<float> vector = in_rows(encoder.rows_policy().rows(width));
  const bool finite =
      std::all_of(vector.begin(), vector.end(), [](float x) { return std::isfinite(x); });
  return finite ? vector : in_rows(1);  // what is not finite is computed again by itself
}

Result play(Scene scene) {
  const encode::EncoderCard card = encode::parse_card(fake_card_text({{"fake", true}}), "fake");
  const prepare::SequencePreprocessor preprocessor(card.alphabet, {});
  FakeEncoder encoder(scene.encoder);
  VectorReader reader(scene.records);
  MemoryStore store;
  plan::MemoryGovernor governor(scene.governor);
  device::LeakMonitor leaks;
  RecordingLog log;
  device::MemoryReader memory(log, "/nowhere");  // the device's counters alone
  std::chrono::steady_clock::time_point now{};
  scene.pipeline.window.records = kWindow;
  scene.pipeline.parts = encoder.rows_policy();
  PipelineHooks hooks;
  // The encoder's thread takes 30 ms between two looks at the clock: each batch gets its reading.
  std::mutex clock;
  hooks.now = [&, encoding = std::this_thread::get_id()] {
    const std::lock_guard lock(clock);
    if (std::this_thread::get_id() == encoding) {
      now += std::chrono::milliseconds(30);
    }
    return now;
  };
  if (scene.read_memory) {
    hooks.read_memory = [&] { return memory.read(encoder.device()); };
  }
  hooks.leak_suspected = [&](const std::string&) { return scene.on_leak; };

  Result result;
  result.report = run_pipeline({reader, preprocessor, encoder, store, governor, leaks, log},
                               scene.pipeline, hooks, std::nullopt);
  result.vectors = store.vectors;
  result.records = store.records;
  result.calls = encoder.device().calls();
  result.failures = encoder.device().failures();
  result.releases = encoder.device().releases();
  result.governor = governor.report();
  result.leak = leaks.verdict();
  result.warnings = log.warnings();
  for (const Record& record : scene.records) {
    result.expected.push_back(expected_vector(encoder, preprocessor.measure(record), card));
  }
  return result;
}

// Every record stands at its place; whoever is "ok" has exactly its vector, others have none.
void require_right(const Result& result, const std::set<std::uint64_t>& rejected = {},
                   Reason reason = Reason::kOutOfMemory) {
  REQUIRE(result.records.size() == result.expected.size());
  for (std::uint64_t row = 0; row < result.records.size(); ++row) {
    INFO("row " << row);
    const RecordRow& record = result.records[row];
    REQUIRE(record.row == row);
    REQUIRE(record.id == "r" + std::to_string(row));
    if (rejected.contains(row)) {
      REQUIRE(record.status == Status::kRejected);
      REQUIRE(record.defect);
      REQUIRE(record.defect->reason == reason);
      REQUIRE_FALSE(result.vectors.contains(row));
    } else {
      REQUIRE(record.status == Status::kOk);
      REQUIRE(result.vectors.contains(row));
      REQUIRE(result.vectors.at(row) == result.expected[row]);
    }
  }
}

std::set<std::uint64_t> rejected_rows(const Result& result) {
  std::set<std::uint64_t> rows;
  for (const RecordRow& record : result.records) {
    if (record.status == Status::kRejected) {
      rows.insert(record.row);
    }
  }
  return rows;
}

// Records of one length, so that every batch is full but the last of each window.
std::vector<Record> even_records(std::uint64_t count) {
  std::vector<Record> records = generated_records(count, 1);
  for (std::uint64_t i = 0; i < count; ++i) {
    records[i].payload.clear();
    for (std::uint64_t j = 0; j < 40; ++j) {
      records[i].payload += "ACDEFGHIKL"[(i * 31 + j * j * (i + 3)) % 10];
    }
  }
  return records;
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

TEST_CASE("rows that are not finite are computed again, and rejected if they stay so") {
  Scene scene;
  scene.records = generated_records(3000, 100);
  scene.encoder.part_tokens = 512;
  scene.encoder.nan_in_company = 150;
  const Result cured = play(scene);
  CHECK(cured.report.not_finite > 0);
  CHECK(cured.report.counters.computed_alone == cured.report.not_finite);
  CHECK(cured.report.counters.reshaped == 0);  // no memory was wanting
  require_right(cured);

  scene.encoder.part_tokens = 0;
  scene.encoder.nan_in_company = 0;
  scene.encoder.nan_every = 300;
  const Result bad = play(scene);
  std::set<std::uint64_t> rows;
  for (std::uint64_t row = 0; row < bad.expected.size(); ++row) {
    if (std::isnan(bad.expected[row][bad.expected[row].size() / 2])) {
      rows.insert(row);
    }
  }
  REQUIRE_FALSE(rows.empty());
  require_right(bad, rows, Reason::kNotFinite);
}

TEST_CASE(
    "where the rows of a part make the bits, no batch, limit or failure that leaves parts whole "
    "changes one") {
  for (const device::DeviceKind kind : {device::DeviceKind::kCpu, device::DeviceKind::kCuda}) {
    Scene scene;
    scene.records = generated_records(700, 120);
    scene.encoder.device.kind = kind;
    scene.encoder.rows_matter = true;
    scene.encoder.part_tokens = kind == device::DeviceKind::kCpu ? 512 : 2048;
    // What one part of the widest costs, and no more, and plenty.
    const double one = 1.1 * static_cast<double>(scene.encoder.part_tokens);
    for (const double budget : {one, 3 * one, 1e6}) {
      scene.governor.start_budget = budget;
      scene.governor.part_cost = one;
      for (const std::optional<std::uint32_t> rows :
           {std::optional<std::uint32_t>(1), std::optional<std::uint32_t>(3),
            std::optional<std::uint32_t>(16), std::optional<std::uint32_t>()}) {
        for (const std::uint64_t fail_at : {0U, 6U, 9U}) {  // the first batches are one part
          INFO((kind == device::DeviceKind::kCpu ? "cpu" : "cuda")
               << ", budget " << budget << ", rows " << rows.value_or(0) << ", fails at "
               << fail_at);
          scene.pipeline.batch_rows = rows;
          // Several parts at a time: a failure halves the list, not a part.
          const bool several = budget > one && !rows;
          scene.encoder.device.fail_at.clear();
          if (fail_at > 0 && several) {
            scene.encoder.device.fail_at = {fail_at};
          }
          const Result result = play(scene);
          CHECK(result.failures == scene.encoder.device.fail_at.size());
          CHECK(result.report.counters.reshaped == 0);
          require_right(result);
        }
      }
    }
  }
}

TEST_CASE("a part that does not fit is computed in pieces, and its rows are counted") {
  Scene scene;
  scene.records = even_records(300);
  scene.encoder.rows_matter = true;
  scene.encoder.part_tokens = 512;  // 10 rows of 48
  for (const bool by_failure : {false, true}) {
    scene.encoder.device.capacity_rows =
        by_failure ? std::optional<std::uint32_t>(4) : std::nullopt;
    scene.governor.start_budget = by_failure ? 4000 : 5 * plan::cost_per_row(48);
    const Result result = play(scene);
    CHECK((result.failures > 0) == by_failure);
    std::uint64_t others = 0;
    for (std::uint64_t row = 0; row < result.expected.size(); ++row) {
      others += result.vectors.at(row) == result.expected[row] ? 0U : 1U;
    }
    CHECK(result.report.counters.reshaped == others);
    CHECK(others == result.expected.size());  // no part is ever whole
    CHECK(result.report.counters.ok == result.expected.size());
  }
}

TEST_CASE("more than one row in a hundred that is not finite stops the run") {
  Scene scene;
  scene.records = generated_records(3000, 100);
  scene.encoder.nan_every = 20;
  try {
    play(scene);
    FAIL("it went on");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kBadData);
    CHECK(std::string(error.what()).find("not finite") != std::string::npos);
  }
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
