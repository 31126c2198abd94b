#include <catch2/catch.hpp>

#include "input_helpers.hpp"
#include "table_helpers.hpp"

using namespace longhaul;
using namespace longhaul::input;
using namespace longhaul::input::test;

namespace {

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a quote that does not close in its line of TSV is a letter like any other") {
  SourceSettings settings = table_settings();
  settings.format = InputFormat::kTsv;
  const std::string text =
      "id\tnote\tsequence\n"
      "a\t\"lone\tMK\n"        // 2:17
      "b\tends 5\"\tLV\n"      // 3:28
      "\"c\tx\tGG\n"           // 4:41
      "d\t\"x\"\t\"MM\n"       // 5:49
      "\"e\"\t\"a\tb\"\tWW\n"  // 6:59
      "f\t\"over\n"            // 7:72
      "lines\"\tMK\n"          // 8:80
      "g\t\"a\"b\tMK\n";       // 9:90
  const Lines expected{"a|MK @2:17",
                       "b|LV @3:28",
                       "\"c|GG @4:41",
                       "d|\"MM @5:49",
                       "e|WW @6:59",
                       "f| !wrong_field_count @7:72",
                       "lines\"| !wrong_field_count @8:80",
                       "| !bad_record @9:90"};
  CHECK(read(text, settings) == expected);
  settings.block_bytes = 3;
  CHECK(read(text, settings) == expected);
}

TEST_CASE("what is said of stray quotes names the lines and what to do") {
  auto reader = open_delimited(
      std::make_unique<MemorySource>("id,note,sequence\nb,\"lone,LV\nc,x,GG\nd,5\",MM\n"),
      table_settings());
  Record record;
  REQUIRE(reader->next(record));
  CHECK(record.defect->message.find("a quote opens here and closes in line 4") == 0);
  CHECK(record.defect->message.find("leave out or double that quote") != std::string::npos);
  CHECK(record.defect->message.find("a cell over lines that look so cannot be told from it") !=
        std::string::npos);
  record = Record{};
  REQUIRE(reader->next(record));
  CHECK_FALSE(record.defect);
  REQUIRE(reader->next(record));
  CHECK(record.defect->message.find("the quote of line 2 closes here") == 0);
}

TEST_CASE("a quote in the header that swallows rows is refused") {
  const auto stray = thrown_by([] { read("id,sequence,\"note\na,MK,5\nb,LV,\"\nc,GG,x\n"); });
  CHECK(stray.code == 65);
  CHECK(stray.says("line 1: a quote opens in the header"));
  // A name over lines is a name.
  CHECK(read("id,sequence,\"a\nnote\"\na,MK,x\n") == Lines{"a|MK @3:21"});
}

TEST_CASE("rows between stray quotes that are far apart are read, in bounded memory") {
  // The quote closes further on than anybody looks: its line is rejected and the others are read.
  SourceSettings settings = table_settings(64);
  settings.max_line_bytes = 400;
  std::string text = "id,note,sequence\nb,\"lone,LV\n";
  for (int i = 0; i < 100; ++i) {
    text += "r,x,GG\n";
  }
  text += "d,5\",MM\n";
  const auto records = read(text, settings);
  REQUIRE(records.size() == 102);
  CHECK(records.front() == "b| !bad_record @2:17");
  CHECK(records[1] == "r|GG @3:28");
  CHECK(records.back() == "d|MM @103:728");
}

TEST_CASE("a quoted record over the cap ends where its quote closes") {
  for (const std::size_t block : {1UL, 8UL, 4096UL}) {
    CAPTURE(block);
    SourceSettings settings = table_settings(block);
    settings.max_line_bytes = 20;
    const std::string lines = "id,sequence\n\"a\n" + std::string(15, 'M') + "\n" +
                              std::string(15, 'M') + "\n\",MK\nb,LV\n";
    const auto many = read(lines, settings);
    REQUIRE(many.size() == 2);
    CHECK(many[0] == "| !line_too_long @2:12");
    CHECK(many[1] == "b|LV @6:52");
    const auto one =
        read("id,sequence\n\"a" + std::string(60, 'M') + "\nb,c\n\",MK\nb,LV\n", settings);
    REQUIRE(one.size() == 4);
    CHECK(one[0] == "| !line_too_long @2:12");
    // What follows it reads like records, so the quote that it opens is none.
    CHECK(one[1] == "b|c @3:75");
    CHECK(one[2] == "\"| !bad_record @4:79");
    CHECK(one[3] == "b|LV @5:84");
  }
}

TEST_CASE("a quote that never closes names the line where it opened") {
  std::string words;
  for (int i = 0; i < 20; ++i) {
    words += "a cell\n";
  }
  const auto error = thrown_by([&] { read("id,sequence\na,MK\n\"b\nb\",\"MK\na cell\n" + words); });
  CHECK(error.code == 65);
  CHECK(error.says("x.csv, line 4 (byte 20)"));
  CHECK(error.says("never closes"));
  SourceSettings settings = table_settings(8);
  settings.max_line_bytes = 20;  // also when it is too long to be kept
  const auto longer = thrown_by(
      [&] { read("id,sequence\n\"a\nb\n" + std::string(100, 'M') + "\nc,LV\n", settings); });
  CHECK(longer.code == 65);
  CHECK(longer.says("line 2"));
}
