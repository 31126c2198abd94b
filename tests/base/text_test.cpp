#include "base/text.hpp"

#include <catch2/catch.hpp>

using namespace longhaul;
using namespace std::chrono_literals;

TEST_CASE("sizes are read with and without units") {
  CHECK(parse_size("0") == 0);
  CHECK(parse_size("100000") == 100000);
  CHECK(parse_size("8G") == 8ULL << 30);
  CHECK(parse_size("512MiB") == 512ULL << 20);
  CHECK(parse_size("1.5k") == 1536);
  CHECK_FALSE(parse_size(""));
  CHECK_FALSE(parse_size("-1"));
  CHECK_FALSE(parse_size("8 apples"));
  CHECK_FALSE(parse_size("nan"));
  CHECK_FALSE(parse_size("1e30"));
}

TEST_CASE("durations default to seconds") {
  CHECK(parse_duration("5") == 5000ms);
  CHECK(parse_duration("0") == 0ms);
  CHECK(parse_duration("1.5h") == 5400000ms);
  CHECK(parse_duration("250ms") == 250ms);
  CHECK_FALSE(parse_duration("soon"));
  CHECK(parse_duration("30:00") == 30min);
  CHECK(parse_duration("4:00:00") == 4h);
  CHECK(parse_duration("90:00") == 90min);
  CHECK(parse_duration("1-12") == 36h);
  CHECK(parse_duration("1-12:30") == 36h + 30min);
  CHECK(parse_duration("1-12:00:05") == 36h + 5s);
  for (const char* wrong : {"1:60", "1:00:60", ":30", "30:", "1-", "-1", "-1:00", "1:2:3:4",
                            "1-1:2:3:4", "1-a", "1:30m", "1--2", "99999999999999999999:00"}) {
    INFO(wrong);
    CHECK_FALSE(parse_duration(wrong));
  }
}

TEST_CASE("formatting is for people") {
  CHECK(format_bytes(12) == "12 B");
  CHECK(format_bytes(1536) == "1.5 KiB");
  CHECK(format_bytes(8ULL << 30) == "8.0 GiB");
  CHECK(format_count(25007) == "25,007");
  CHECK(format_count(999) == "999");
  CHECK(format_count(1000000) == "1,000,000");
  CHECK(format_duration(187s) == "3m 07s");
  CHECK(format_duration(3725s) == "1h 02m");
  CHECK(format_duration(4200ms) == "4.2 s");
}

TEST_CASE("CSV fields are quoted only when they must be") {
  CHECK(csv_field("plain") == "plain");
  CHECK(csv_field("a,b") == "\"a,b\"");
  CHECK(csv_field("a\"b") == "\"a\"\"b\"");
  CHECK(csv_field("two\nlines") == "\"two\nlines\"");
  CHECK(csv_field("bad\xff") == "bad\\xff");
}

TEST_CASE("UTF-8 is checked strictly") {
  CHECK(is_utf8("EVQL"));
  CHECK(is_utf8("caf\xc3\xa9"));
  CHECK_FALSE(is_utf8("\xc0\xaf"));          // overlong
  CHECK_FALSE(is_utf8("\xed\xa0\x80"));      // surrogate
  CHECK_FALSE(is_utf8("\xf4\x90\x80\x80"));  // above U+10FFFF
  CHECK_FALSE(is_utf8("\xe2\x82"));          // cut short
}

TEST_CASE("numbers are read whole or not at all") {
  CHECK(parse_number("0.5495") == 0.5495);
  CHECK(parse_number("+1e-3") == 1e-3);
  CHECK_FALSE(parse_number("1,5"));
  CHECK_FALSE(parse_number(""));
  CHECK(parse_count("17628") == 17628);
  CHECK_FALSE(parse_count("-1"));
  CHECK_FALSE(parse_count("1.0"));
}

TEST_CASE("printable text escapes controls and leaves out the middle") {
  CHECK(printable("a\tb") == "a\\x09b");
  CHECK(printable(std::string(100, 'A'), 10) == "AAAAA...AAAAA");
}

TEST_CASE("a word of a shell's command line is quoted where a shell would take it apart") {
  CHECK(shell_word("out/run-1.csv") == "out/run-1.csv");
  CHECK(shell_word("--x=a:b,c+d@%") == "--x=a:b,c+d@%");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("my file.csv") == "'my file.csv'");
  CHECK(shell_word("$HOME;*") == "'$HOME;*'");
  CHECK(shell_word("it's.csv") == "'it'\\''s.csv'");
}
