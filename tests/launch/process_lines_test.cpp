#include <catch2/catch.hpp>

#include "launch/process_lines.hpp"

namespace longhaul::launch {
namespace {

using Kind = ProcessLine::Kind;

TEST_CASE("messages and failures arrive as they were said") {
  for (const std::string text : {"plain", "quotes \" and \\", "two\nlines", "caf\xc3\xa9"}) {
    for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kError}) {
      const std::string line = message_line(level, text);
      CHECK(line.find('\n') == std::string::npos);
      const ProcessLine read = read_process_line(line);
      CHECK(read.kind == Kind::kMessage);
      CHECK(read.level == level);
      CHECK(read.text == text);
    }
    CHECK(read_process_line(failure_line(text)).kind == Kind::kFailure);
    CHECK(read_process_line(failure_line(text)).text == text);
  }
  // Bytes that are no text do not end a process.
  CHECK(read_process_line(message_line(LogLevel::kInfo, "\xff")).kind == Kind::kMessage);
}

TEST_CASE("what is not ours is taken as it is") {
  for (const char* line : {"Segmentation fault", "", "{\"event\": 3}", "{", "[1]", "{}"}) {
    const ProcessLine read = read_process_line(line);
    CHECK(read.kind == Kind::kForeign);
    CHECK(read.text == line);
  }
}

TEST_CASE("progress is read, and null is not known") {
  const ProcessLine line = read_process_line(
      R"({"event":"progress","records_done":5,"records_total":null,"bytes_read":7,)"
      R"("bytes_total":9,"rejected":1,"batches":2,"rss_bytes":100,"device_allocated_bytes":null})");
  REQUIRE(line.kind == Kind::kProgress);
  CHECK(line.progress.records_done == 5);
  CHECK(!line.progress.records_total);
  CHECK(line.progress.bytes_read == 7);
  CHECK(line.progress.bytes_total == 9);
  CHECK(line.progress.rejected == 1);
  CHECK(line.progress.batches == 2);
  CHECK(line.progress.rss == 100);
  CHECK(!line.progress.device_allocated);
  CHECK(!line.progress.seconds_left);
  const ProcessLine last = read_process_line(
      R"({"event":"progress","final":true,"eta_seconds":1.5,"eta_approximate":true})");
  CHECK(last.progress.seconds_left == 1.5);
  CHECK(last.progress.left_is_approximate);
  CHECK(last.progress.over);
}

TEST_CASE("counts of processes add up; what one does not know, all do not") {
  const Progress one{.records_done = 5,
                     .records_total = 10,
                     .bytes_read = 3,
                     .bytes_total = 9,
                     .rejected = 1,
                     .batches = 2,
                     .rss = 100};
  const Progress other{.records_done = 7, .bytes_read = 4, .bytes_total = 9, .rss = 50};
  const Progress both = sum_of({one, other});
  CHECK(both.records_done == 12);
  CHECK(!both.records_total);
  CHECK(both.bytes_read == 7);
  CHECK(both.bytes_total == 18);
  CHECK(both.rejected == 1);
  CHECK(both.batches == 2);
  CHECK(both.rss == 150);
  CHECK(!both.device_allocated);
  CHECK(sum_of({one, one}).records_total == 20);
  // The slowest is what is waited for; those that are done no more.
  const auto left = [](std::vector<std::optional<Progress>> processes) {
    return sum_of(processes).seconds_left;
  };
  const Progress quick{.seconds_left = 5};
  const Progress slow{.seconds_left = 60, .left_is_approximate = true};
  CHECK(left({quick, slow}) == 60);
  CHECK(sum_of({quick, slow}).left_is_approximate);
  CHECK_FALSE(sum_of({quick, quick}).left_is_approximate);
  CHECK(left({quick, Progress{.over = true}}) == 5);
  CHECK_FALSE(left({quick, Progress{}}));
  CHECK_FALSE(left({quick, std::nullopt}));
  // One that has not begun: how much there is in all is not known yet.
  const Progress early = sum_of({one, std::nullopt});
  CHECK(early.records_done == 5);
  CHECK(!early.records_total);
  CHECK(!early.bytes_total);
  CHECK(early.rss == 100);
  CHECK(!sum_of({std::nullopt, std::nullopt}).rss);
}

}  // namespace
}  // namespace longhaul::launch
