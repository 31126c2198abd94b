// What the progress display says, as pure functions of what is known.
#include "progress_text.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace longhaul::app {
namespace {

using seconds = std::chrono::duration<double>;

ProgressSnapshot half_way() {
  ProgressSnapshot snapshot;
  snapshot.records_done = 10'496;
  snapshot.records_total = 25'007;
  snapshot.bytes_read = 1'000;
  snapshot.bytes_total = 2'000;
  snapshot.batches = 400;
  snapshot.batch_rows = 32;
  snapshot.width = 128;
  snapshot.rss = 612ULL << 20;
  snapshot.elapsed = 380;
  return snapshot;
}

const Pace kPace{27.6, 525.0};

TEST_CASE("a plain line says how far, how fast and how long") {
  CHECK(line_text(half_way(), kPace) ==
        "10,496 of 25,007 records (41 %), 27.6/s, ETA 8m 45s, batch 32 x 128, RSS 612 MiB");
  ProgressSnapshot unknown = half_way();
  unknown.records_total.reset();
  unknown.rejected = 3;
  unknown.device_allocated = 1ULL << 30;
  unknown.width = 0;
  CHECK(line_text(unknown, Pace{}) ==
        "10,496 records (50 % of the input read), batch 32, RSS 612 MiB, device 1.0 GiB, "
        "rejected 3");
  unknown.bytes_total.reset();
  CHECK(line_text(unknown, Pace{}).find("10,496 records, batch") == 0);
}

TEST_CASE("a bar never gets wider than the terminal and drops the least important first") {
  ProgressSnapshot snapshot = half_way();
  snapshot.device_allocated = 5ULL << 30;
  snapshot.rejected = 12;
  for (unsigned columns = 0; columns <= 200; ++columns) {
    INFO(columns);
    CHECK(bar_text(snapshot, kPace, columns).size() <= (columns > 0 ? columns - 1 : 0));
  }
  const std::string wide = bar_text(snapshot, kPace, 160);
  CHECK(wide.find("41 %  [============>") == 0);
  for (const char* part : {"10,496/25,007", "27.6/s", "ETA 8m 45s", "rejected 12", "RSS 612 MiB",
                           "device 5.0 GiB", "batch 32 x 128"}) {
    CHECK(wide.find(part) != std::string::npos);
  }
  const std::string narrow = bar_text(snapshot, kPace, 80);
  CHECK(narrow.find("ETA 8m 45s") != std::string::npos);
  CHECK(narrow.find("batch") == std::string::npos);
  CHECK(bar_text(snapshot, kPace, 20).find("41 %") == 0);
}

TEST_CASE("a bar stands where it stood, whatever comes and goes beside it") {
  for (const unsigned columns : {60U, 80U, 100U, 140U, 200U}) {
    const auto place = [columns](std::uint64_t done, const Pace& pace, std::uint64_t rejected) {
      ProgressSnapshot snapshot = half_way();
      snapshot.records_done = done;
      snapshot.rejected = rejected;
      const std::string text = bar_text(snapshot, pace, columns);
      return std::pair(text.find('['), text.find(']'));
    };
    CAPTURE(columns);
    REQUIRE(place(100, Pace{}, 0).second != std::string::npos);
    CHECK(place(100, Pace{}, 0) == place(25'007, kPace, 12'000));
    CHECK(place(100, Pace{}, 0) == place(9'999, {1234.5, 9.0}, 0));
  }
}

TEST_CASE("the time left is in whole seconds") {
  CHECK(line_text(half_way(), {27.6, 58.3}).find("ETA 59 s,") != std::string::npos);
  CHECK(line_text(half_way(), {27.6, 0.0}).find("ETA 0 s,") != std::string::npos);
  CHECK(line_text(half_way(), {27.6, 60.0}).find("ETA 1m 00s,") != std::string::npos);
}

TEST_CASE("a bar is full only when all is done") {
  ProgressSnapshot snapshot = half_way();
  snapshot.records_done = 25'006;
  CHECK(bar_text(snapshot, {}, 100).find("99 %") == 0);
  snapshot.records_done = 25'007;
  CHECK(bar_text(snapshot, {}, 100).find("100 % [====================]") == 0);
  snapshot.records_done = 25'008;  // a total that was an estimate
  CHECK(share_done(snapshot) == 1.0);
  snapshot.records_done = 0;
  snapshot.records_total = 0;
  CHECK(share_done(snapshot) == 1.0);
}

TEST_CASE("the rate is that of the last half minute and a resumed run does not count the past") {
  PaceMeter meter;
  ProgressSnapshot snapshot = half_way();
  CHECK(!meter.add(snapshot, seconds(0)).records_per_second);
  Pace pace;
  for (int second = 1; second <= 100; ++second) {
    snapshot.records_done += 10;
    pace = meter.add(snapshot, seconds(second));
  }
  CHECK(*pace.records_per_second == Approx(10));
  for (int second = 101; second <= 140; ++second) {
    snapshot.records_done += 40;
    pace = meter.add(snapshot, seconds(second));
  }
  CHECK(*pace.records_per_second == Approx(40));
  CHECK(*pace.seconds_left == Approx(static_cast<double>(25'007 - snapshot.records_done) / 40.0));
  CHECK(*meter.average(snapshot, seconds(140)).records_per_second == Approx(2600.0 / 140.0));
}

TEST_CASE("without a total the number of records is judged by the bytes read") {
  PaceMeter meter;
  ProgressSnapshot snapshot;
  snapshot.bytes_total = 1'000;
  meter.add(snapshot, seconds(0));
  snapshot.bytes_read = 250;
  snapshot.records_done = 5;
  CHECK(*meter.add(snapshot, seconds(10)).seconds_left == Approx(30));
  snapshot.bytes_read = 2'000;  // the file grew
  CHECK(*meter.add(snapshot, seconds(20)).seconds_left == Approx(0));
}

TEST_CASE("without a total a resumed run does not count the past as its own pace") {
  PaceMeter meter;
  ProgressSnapshot snapshot;
  snapshot.bytes_total = 1'000;
  snapshot.records_done = 400;
  snapshot.bytes_read = 0;  // the reader is back at the start of a window
  meter.add(snapshot, seconds(0));
  snapshot.records_done = 500;
  snapshot.bytes_read = 500;
  CHECK(*meter.add(snapshot, seconds(10)).seconds_left == Approx(50));
}

TEST_CASE("a stalled run has a rate of zero and no time left to promise") {
  PaceMeter meter;
  const ProgressSnapshot snapshot = half_way();
  Pace pace;
  for (int second = 0; second <= 60; ++second) {
    pace = meter.add(snapshot, seconds(second));
  }
  CHECK(*pace.records_per_second == 0);
  CHECK(!pace.seconds_left);
}

TEST_CASE("JSON has every key, null for what is not known") {
  ProgressSnapshot snapshot = half_way();
  snapshot.records_total.reset();
  const nlohmann::json object = nlohmann::json::parse(json_text(snapshot, Pace{}, true));
  CHECK(object.at("event") == "progress");
  CHECK(object.at("final") == true);
  CHECK(object.at("records_done") == 10'496);
  CHECK(object.at("records_total").is_null());
  CHECK(object.at("records_per_second").is_null());
  CHECK(object.at("device_allocated_bytes").is_null());
  CHECK(object.at("rss_bytes") == 612ULL << 20);
  CHECK(json_text(snapshot, Pace{}, false).find('\n') == std::string::npos);
}

}  // namespace
}  // namespace longhaul::app
