// What the rows of a part do to a record's bits, and rows that are not finite.
#include <catch2/catch.hpp>
#include <cmath>
#include <optional>
#include <set>

#include "base/error.hpp"
#include "run/pressure_scene.hpp"

using namespace longhaul;
using namespace longhaul::fakes;
using namespace longhaul::run;
using namespace longhaul::run::test;

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
