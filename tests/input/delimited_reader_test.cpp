#include <catch2/catch.hpp>

#include "input/delimited_reader.hpp"
#include "input_helpers.hpp"

using namespace longhaul;
using namespace longhaul::test;

namespace {

using Lines = std::vector<std::string>;

SourceSettings settings_for(std::size_t block = 256 << 10) {
  SourceSettings settings;
  settings.name = "x.csv";
  settings.block_bytes = block;
  return settings;
}

Lines read(const std::string& text, SourceSettings settings = settings_for()) {
  return drain(*open_delimited(std::make_unique<MemorySource>(text), settings));
}

struct Case {
  std::string what;
  std::string text;
  Lines records;
};

const std::vector<Case> kCases = {
    {"plain records", "id,sequence\na,MK\nb,LV\n", {"a|MK @2:12", "b|LV @3:17"}},
    {"a last line without an end", "id,sequence\na,MK\nb,LV", {"a|MK @2:12", "b|LV @3:17"}},
    {"CRLF", "id,sequence\r\na,MK\r\nb,LV\r\n", {"a|MK @2:13", "b|LV @3:19"}},
    {"lone CRs", "id,sequence\ra,MK\rb,LV\r", {"a|MK @2:12", "b|LV @3:17"}},
    {"mixed ends", "id,sequence\r\na,MK\rb,LV\nc,GG", {"a|MK @2:13", "b|LV @3:18", "c|GG @4:23"}},
    {"a byte order mark", "\xef\xbb\xbfid,sequence\na,MK\n", {"a|MK @2:15"}},
    {"a preamble", "# made by x\n#\n\nid,sequence\na,MK\n", {"a|MK @5:27"}},
    {"a preamble with a quote", "# 5\" gel\nid,sequence\na,MK\n", {"a|MK @3:21"}},
    {"a record of # after the header", "id,sequence\n#a,MK\n", {"#a|MK @2:12"}},
    {"empty lines", "id,sequence\n\na,MK\r\n\r\n\nb,LV\n\n", {"a|MK @3:13", "b|LV @6:22"}},
    {"quoted fields", "id,sequence\n\"a\",\"MK\"\n", {"a|MK @2:12"}},
    {"a quoted header", "\"id\",\"sequence\"\na,MK\n", {"a|MK @2:16"}},
    {"a delimiter in quotes", "id,sequence\n\"a,b\",MK\n", {"a,b|MK @2:12"}},
    {"doubled quotes", "id,sequence\n\"a\"\"b\",\"\"\"\"\n", {"a\"b|\" @2:12"}},
    {"line breaks in quotes",
     "id,sequence\n\"a\nb\r\nc\rd\",MK\nz,LV\n",
     {"a\nb\r\nc\rd|MK @2:12", "z|LV @6:26"}},
    {"a line of quotes alone is no empty line",
     "sequence\n\"\"\nMK\n",
     {"| !empty @2:9", "|MK @3:12"}},
    {"a quote inside an unquoted field", "id,sequence\n5\" gel,MK\n", {"5\" gel|MK @2:12"}},
    {"text after a closing quote",
     "id,sequence\n\"a\"b,MK\nc,LV\n",
     {"| !bad_record @2:12", "c|LV @3:20"}},
    {"an empty sequence", "id,sequence\na,\nb,\"\"\n", {"a| !empty @2:12", "b| !empty @3:15"}},
    {"types are not guessed",
     "id,sequence\n001,NA\n1e5,NAN\n,null\n",
     {"001|NA @2:12", "1e5|NAN @3:19", "|null @4:27"}},
    {"nothing is trimmed", "id,sequence\n a , MK\t\n", {" a | MK\t @2:12"}},
    {"too few fields", "id,sequence\na\nb,LV\n", {"a| !wrong_field_count @2:12", "b|LV @3:14"}},
    {"too many fields",
     "id,sequence\na,MK,\nb,LV\n",
     {"a| !wrong_field_count @2:12", "b|LV @3:18"}},
    {"not UTF-8 in the sequence",
     "id,sequence\na,M\xffK\nb,LV\n",
     {"a|M\xffK !not_utf8 @2:12", "b|LV @3:18"}},
    {"not UTF-8 in the id", "id,sequence\n\xe9,MK\n", {"\xe9|MK !not_utf8 @2:12"}},
    {"not UTF-8 in an unused column", "id,sequence,x\na,MK,\xe9\n", {"a|MK @2:14"}},
    {"UTF-8 in the id", "id,sequence\nd\xc3\xa9j\xc3\xa0,MK\n", {"d\xc3\xa9j\xc3\xa0|MK @2:12"}},
    {"other columns around", "label,seq,x\n0.0,MK,\n,LV,1\n", {"|MK @2:12", "|LV @3:20"}},
    {"one column", "vh_sequence\nMK\n\nLV\n", {"|MK @2:12", "|LV @4:16"}},
    {"no record", "id,sequence\n", {}},
    {"no record and no line end", "id,sequence", {}},
    {"a zero byte in a record is for others to judge",
     std::string("id,sequence\na,M\0K\n", 18),
     {std::string("a|M\0K @2:12", 11)}},
};

}  // namespace

TEST_CASE("CSV records come as RFC 4180 has them, in blocks of any size") {
  for (const Case& one : kCases) {
    for (const std::size_t block : {1UL, 2UL, 3UL, 5UL, 7UL, 16UL, 64UL << 10}) {
      // A zero byte in the first block is another case: there it means a binary file.
      if (one.text.find('\0') != std::string::npos && block > 7) {
        continue;
      }
      CAPTURE(one.what, block);
      CHECK(read(one.text, settings_for(block)) == one.records);
    }
  }
}

TEST_CASE("TSV splits at tabs and quotes alike") {
  SourceSettings settings = settings_for();
  settings.format = InputFormat::kTsv;
  CHECK(read("id\tsequence\na,b\tMK\n\"c\td\"\tLV\n", settings) ==
        Lines{"a,b|MK @2:12", "c\td|LV @3:19"});
}

TEST_CASE("reading a CSV goes on from every cursor as if it had not stopped") {
  for (const Case& one : kCases) {
    for (const std::size_t block : {3UL, 256UL}) {
      if (one.text.find('\0') != std::string::npos && block > 7) {
        continue;
      }
      CAPTURE(one.what, block);
      auto reader = open_delimited(std::make_unique<MemorySource>(one.text), settings_for(block));
      for (std::size_t done = 0; done <= one.records.size(); ++done) {
        const SourceCursor cursor = reader->cursor();
        auto other = open_delimited(std::make_unique<MemorySource>(one.text), settings_for(block));
        REQUIRE(other->seek(cursor));
        CHECK(drain(*other) ==
              Lines(one.records.begin() + static_cast<std::ptrdiff_t>(done), one.records.end()));
        Record record;
        CHECK(reader->next(record) == (done < one.records.size()));
      }
    }
  }
}

TEST_CASE("kept columns are copied as they are, with values that come from a list") {
  SourceSettings settings = settings_for();
  settings.keep_columns = {"label", "batch", "id"};
  settings.listed = {"from the list", "7", std::nullopt};
  CHECK(read("id,sequence,label\na,MK,\" 0.0\"\nb,LV,\n", settings) ==
        Lines{"a|MK| 0.0|7|a @2:18", "b|LV||7|b @3:30"});
  settings.listed.clear();
  settings.keep_columns = {"label"};
  CHECK(read("id,sequence,label\na\n", settings) == Lines{"a|| !wrong_field_count @2:18"});
  CHECK(read("id,sequence,label\na,MK,\xe9\n", settings) == Lines{"a|MK|\xe9 !not_utf8 @2:18"});
}

TEST_CASE("lines are skipped before the header") {
  SourceSettings settings = settings_for();
  settings.skip_lines = 2;
  CHECK(read("a title, with \"quotes\n\n# more\nid,sequence\na,MK\n", settings) ==
        Lines{"a|MK @5:42"});
}

TEST_CASE("a line over the cap is passed over, and reading goes on behind it") {
  for (const std::size_t block : {1UL, 8UL, 40UL, 4096UL}) {
    for (const std::string end : {"\n", "\r\n", "\r"}) {
      CAPTURE(block, end);
      SourceSettings settings = settings_for(block);
      settings.max_line_bytes = 32;
      const std::string text = "id,sequence" + end + "a," + std::string(100, 'M') + end + "b," +
                               std::string(30, 'L') + end + "c," + std::string(31, 'L') + end +
                               "d,MK";
      const auto records = read(text, settings);
      REQUIRE(records.size() == 4);
      CHECK(records[0].find("| !line_too_long @2:") == 0);
      CHECK(records[1].find("b|" + std::string(30, 'L') + " @3:") == 0);
      CHECK(records[2].find("| !line_too_long @4:") == 0);
      CHECK(records[3] == "d|MK @5:" + std::to_string(text.size() - 4));
    }
  }
}

TEST_CASE("a quoted record over the cap ends where its quote closes") {
  for (const std::size_t block : {1UL, 8UL, 4096UL}) {
    CAPTURE(block);
    SourceSettings settings = settings_for(block);
    settings.max_line_bytes = 20;
    const std::string lines = "id,sequence\n\"a\n" + std::string(15, 'M') + "\n" +
                              std::string(15, 'M') + "\n\",MK\nb,LV\n";
    const auto many = read(lines, settings);
    REQUIRE(many.size() == 2);
    CHECK(many[0] == "| !line_too_long @2:12");
    CHECK(many[1] == "b|LV @6:52");
    const auto one =
        read("id,sequence\n\"a" + std::string(60, 'M') + "\nb,c\n\",MK\nb,LV\n", settings);
    REQUIRE(one.size() == 2);
    CHECK(one[0] == "| !line_too_long @2:12");
    CHECK(one[1] == "b|LV @5:84");
  }
}

TEST_CASE("a quote that never closes names the line where it opened") {
  const auto error = thrown_by([] { read("id,sequence\na,MK\n\"b\nb\",\"MK\nc,LV\nd,GG\n"); });
  CHECK(error.code == 65);
  CHECK(error.says("x.csv, line 4 (byte 20)"));
  CHECK(error.says("never closes"));
  SourceSettings settings = settings_for(8);
  settings.max_line_bytes = 20;  // also when it is too long to be kept
  const auto longer = thrown_by(
      [&] { read("id,sequence\na,\"MK\n" + std::string(100, 'M') + "\nc,LV\n", settings); });
  CHECK(longer.code == 65);
  CHECK(longer.says("line 2"));
}

TEST_CASE("what is no text is refused with the byte") {
  const auto binary = thrown_by([] { read(std::string("id,sequence\na,\0MK\n", 18)); });
  CHECK(binary.code == 65);
  CHECK(binary.says("binary"));
  CHECK(binary.says("byte 14 (line 2)"));
  CHECK(thrown_by([] { read("\x1f\x8b\x08"); }).says(".gz"));
  CHECK(thrown_by([] { read("\xff\xfei\0d\0"); }).says("UTF-16"));
  CHECK(thrown_by([] { read("PAR1...."); }).says("Parquet"));
  CHECK(thrown_by([] { read(""); }).code == 65);
  CHECK(thrown_by([] { read("\n\n"); }).says("empty"));
  CHECK(thrown_by([] { read("id,\"seq\"uence\na,MK\n"); }).says("line 1: the header"));
}

TEST_CASE("columns are chosen by name, and doubts are asked about") {
  const auto with = [](const std::string& header, auto change) {
    SourceSettings settings = settings_for();
    change(settings);
    return thrown_by([&] { read(header + "\n", settings); });
  };
  const auto nothing = [](SourceSettings&) {};
  CHECK(with("id,sequence", nothing).code == 0);
  CHECK(with("id,seq,sequence_aa", nothing).code == 0);
  CHECK(with("sequence,sequence_aa", nothing).code == 2);
  CHECK(with("sequence,sequence_aa", nothing).says("--sequence-column"));
  CHECK(with("seq,vh_sequence", nothing).code == 2);
  CHECK(with("seq,seq", nothing).code == 2);
  CHECK(with("id,id,seq", nothing).code == 2);
  CHECK(with("x,x,seq", nothing).code == 0);
  const auto lacking = with("name,Sequence", nothing);
  CHECK(lacking.code == 65);
  CHECK(lacking.says("'name', 'Sequence'"));
  const auto wrong = with("id,seq", [](SourceSettings& s) { s.sequence_column = "vh"; });
  CHECK(wrong.code == 2);
  CHECK(wrong.says("'vh'"));
  CHECK(wrong.says("'id', 'seq'"));
  CHECK(with("id,seq", [](SourceSettings& s) { s.id_column = "name"; }).code == 2);
  CHECK(with("id,seq", [](SourceSettings& s) { s.keep_columns = {"y"}; }).code == 2);
  CHECK(with("sequence,sequence_aa", [](SourceSettings& s) {
          s.sequence_column = "sequence_aa";
        }).code == 0);
  SourceSettings settings = settings_for();
  settings.sequence_column = "aa";
  settings.id_column = "name";
  CHECK(read("name,id,aa,sequence\nn,i,MK,LV\n", settings) == Lines{"n|MK @2:20"});
}
