// What the progress display says, as pure functions of what is known.
#include "progress_text.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "metrics_text.hpp"

namespace longhaul::app {
namespace {

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
  snapshot.seconds_left = 525;
  return snapshot;
}

constexpr double kRate = 27.6;

TEST_CASE("a plain line says how far, how fast and how long") {
  CHECK(line_text(half_way(), kRate) ==
        "10,496 of 25,007 records (41 %), 27.6/s, ETA 8m 45s, batch 32 x 128, RSS 612 MiB");
  ProgressSnapshot unknown = half_way();
  unknown.records_total.reset();
  unknown.seconds_left.reset();
  unknown.rejected = 3;
  unknown.device_allocated = 1ULL << 30;
  unknown.width = 0;
  CHECK(line_text(unknown, std::nullopt) ==
        "10,496 records (50 % of the input read), batch 32, RSS 612 MiB, device 1.0 GiB, "
        "rejected 3");
  unknown.bytes_total.reset();
  CHECK(line_text(unknown, std::nullopt).find("10,496 records, batch") == 0);
}

TEST_CASE("a bar never gets wider than the terminal and drops the least important first") {
  ProgressSnapshot snapshot = half_way();
  snapshot.device_allocated = 5ULL << 30;
  snapshot.rejected = 12;
  for (unsigned columns = 0; columns <= 200; ++columns) {
    INFO(columns);
    CHECK(bar_text(snapshot, kRate, columns).size() <= (columns > 0 ? columns - 1 : 0));
  }
  const std::string wide = bar_text(snapshot, kRate, 160);
  CHECK(wide.find("41 %  [============>") == 0);
  for (const char* part : {"10,496/25,007", "27.6/s", "ETA 8m 45s", "rejected 12", "RSS 612 MiB",
                           "device 5.0 GiB", "batch 32 x 128"}) {
    CHECK(wide.find(part) != std::string::npos);
  }
  const std::string narrow = bar_text(snapshot, kRate, 80);
  CHECK(narrow.find("ETA 8m 45s") != std::string::npos);
  CHECK(narrow.find("batch") == std::string::npos);
  CHECK(bar_text(snapshot, kRate, 20).find("41 %") == 0);
}

TEST_CASE("a bar stands where it stood, whatever comes and goes beside it") {
  for (const unsigned columns : {60U, 80U, 100U, 140U, 200U}) {
    const auto place = [columns](std::uint64_t done, std::optional<double> rate,
                                 std::uint64_t rejected) {
      ProgressSnapshot snapshot = half_way();
      snapshot.records_done = done;
      snapshot.rejected = rejected;
      const std::string text = bar_text(snapshot, rate, columns);
      return std::pair(text.find('['), text.find(']'));
    };
    CAPTURE(columns);
    REQUIRE(place(100, std::nullopt, 0).second != std::string::npos);
    CHECK(place(100, std::nullopt, 0) == place(25'007, kRate, 12'000));
    CHECK(place(100, std::nullopt, 0) == place(9'999, 1234.5, 0));
  }
}

TEST_CASE("the time left is in whole seconds, and an estimate is told from what is known") {
  const auto text = [](double seconds, bool approximate) {
    ProgressSnapshot snapshot = half_way();
    snapshot.seconds_left = seconds;
    snapshot.left_is_approximate = approximate;
    return line_text(snapshot, kRate);
  };
  CHECK(text(58.3, false).find("ETA 59 s,") != std::string::npos);
  CHECK(text(0, false).find("ETA 0 s,") != std::string::npos);
  CHECK(text(60, false).find("ETA 1m 00s,") != std::string::npos);
  CHECK(text(60, true).find("ETA ~1m 00s,") != std::string::npos);
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
  CHECK(!meter.add(snapshot));
  std::optional<double> rate;
  for (snapshot.at_work = 1; snapshot.at_work <= 100; ++snapshot.at_work) {
    snapshot.records_done += 10;
    rate = meter.add(snapshot);
  }
  CHECK(*rate == Approx(10));
  for (; snapshot.at_work <= 140; ++snapshot.at_work) {
    snapshot.records_done += 40;
    rate = meter.add(snapshot);
  }
  CHECK(*rate == Approx(40));
  snapshot.at_work = 140;
  CHECK(*meter.average(snapshot) == Approx(2600.0 / 140.0));
}

TEST_CASE("a process that was stopped has the rate that it had") {
  PaceMeter meter;
  ProgressSnapshot snapshot;
  for (int i = 0; i < 20; ++i) {
    snapshot.at_work += 1;
    snapshot.elapsed += i == 10 ? 3600 : 1;
    snapshot.records_done += 7;
    meter.add(snapshot);
  }
  snapshot.at_work += 1;
  snapshot.records_done += 7;
  CHECK(*meter.add(snapshot) == Approx(7));
}

TEST_CASE("a stalled run has a rate of zero") {
  PaceMeter meter;
  ProgressSnapshot snapshot = half_way();
  std::optional<double> rate;
  for (snapshot.at_work = 0; snapshot.at_work <= 60; ++snapshot.at_work) {
    rate = meter.add(snapshot);
  }
  CHECK(*rate == 0);
}

TEST_CASE("metrics have the time left, and whether it is an estimate") {
  ProgressSnapshot snapshot = half_way();
  const auto text = [&] { return metrics_text({"out", {}, 0}, snapshot, kRate); };
  CHECK(text().find("longhaul_seconds_left{output=\"out\"} 525\n") != std::string::npos);
  CHECK(text().find("longhaul_seconds_left_approximate{output=\"out\"} 0\n") != std::string::npos);
  snapshot.left_is_approximate = true;
  CHECK(text().find("longhaul_seconds_left_approximate{output=\"out\"} 1\n") != std::string::npos);
  snapshot.seconds_left.reset();
  CHECK(text().find("seconds_left") == std::string::npos);
}

TEST_CASE("JSON has every key, null for what is not known") {
  ProgressSnapshot snapshot = half_way();
  snapshot.records_total.reset();
  CHECK(nlohmann::json::parse(json_text(snapshot, {}, false)).at("eta_seconds") == 525);
  CHECK(nlohmann::json::parse(json_text(snapshot, {}, false)).at("eta_approximate") == false);
  snapshot.seconds_left.reset();
  const nlohmann::json object = nlohmann::json::parse(json_text(snapshot, std::nullopt, true));
  CHECK(object.at("event") == "progress");
  CHECK(object.at("final") == true);
  CHECK(object.at("records_done") == 10'496);
  CHECK(object.at("records_total").is_null());
  CHECK(object.at("records_per_second").is_null());
  CHECK(object.at("eta_seconds").is_null());
  CHECK(object.at("eta_approximate").is_null());
  CHECK(object.at("device_allocated_bytes").is_null());
  CHECK(object.at("rss_bytes") == 612ULL << 20);
  CHECK(json_text(snapshot, std::nullopt, false).find('\n') == std::string::npos);
}

}  // namespace
}  // namespace longhaul::app
