#include <catch2/catch.hpp>

#include "input_helpers.hpp"

using namespace longhaul;
using namespace longhaul::input;
using namespace longhaul::input::test;

namespace {

using Lines = std::vector<std::string>;

SourceSettings fasta_settings(std::size_t block = 256 << 10) {
  SourceSettings settings;
  settings.name = "x.fasta";
  settings.format = InputFormat::kFasta;
  settings.block_bytes = block;
  return settings;
}

Lines read_fasta(const std::string& text, const SourceSettings& settings = fasta_settings()) {
  return drain(*open_fasta(std::make_unique<MemorySource>(text), settings));
}

struct FastaCase {
  std::string what;
  std::string text;
  Lines records;
};

const std::vector<FastaCase> kFastaCases = {
    {"one line each", ">a\nMK\n>b\nLV\n", {"a|MK @1:0", "b|LV @3:6"}},
    {"many lines", ">a\nMK\nLV\n\nGG\n>b\nLV\n", {"a|MKLVGG @1:0", "b|LV @6:13"}},
    {"no end at the last line", ">a\nMK\n>b\nLV", {"a|MK @1:0", "b|LV @3:6"}},
    {"CRLF", ">a\r\nMK\r\nLV\r\n>b\r\nLV\r\n", {"a|MKLV @1:0", "b|LV @4:12"}},
    {"lone CRs", ">a\rMK\rLV\r>b\rLV\r", {"a|MKLV @1:0", "b|LV @4:9"}},
    {"lower case stays", ">a\nmk\n", {"a|mk @1:0"}},
    {"spaces in headers",
     ">sp|P1|X some protein OS=Homo\nMK\n> b \nLV\n",
     {"sp|P1|X|MK @1:0", "b|LV @3:33"}},
    {"a tab after the id", ">a\tx\nMK\n", {"a|MK @1:0"}},
    {"no id", ">\nMK\n", {"|MK @1:0"}},
    {"blanks at the ends of lines", ">a\nMK \t\nLV\r\n", {"a|MKLV @1:0"}},
    {"blanks inside", ">a\n M K \tL\n", {"a|MKL @1:0"}},
    {"numbers in columns", ">a\n   1 MKLV EVQL\n  11 GG 20\n", {"a|MKLVEVQLGG @1:0"}},
    {"numbers in residues", ">a\nM1K\n", {"a|M1K @1:0"}},
    {"a header behind blanks", " >a\nMK\n  >b c\nLV\n", {"a|MK @1:0", "b|LV @3:7"}},
    {"a glued header",
     ">a\nMK\nLV*>b c\nGG\n>d\nWW\n",
     {"a|MKLV* !bad_record @1:0", "b|GG !bad_record @3:6", "d|WW @5:17"}},
    {"two glued headers",
     ">a\nMK>b\nLV>c\nGG\n",
     {"a|MK !bad_record @1:0", "b|LV !bad_record @2:3", "c|GG !bad_record @3:8"}},
    {"a header glued to a comment",
     ">a\nMK\n;x>b\nLV\n>c\nGG\n",
     {"a|MK !bad_record @1:0", "b|LV !bad_record @3:6", "c|GG @5:14"}},
    {"a header glued to a comment before all else",
     ";x>a b\nMK\n>b\nLV\n",
     {"a|MK !bad_record @1:0", "b|LV @3:10"}},
    {"files that begin with a byte order mark, joined",
     "\xef\xbb\xbf>a\nMK\n\xef\xbb\xbf>b\nLV\n\xef\xbb\xbf\xef\xbb\xbf>c\nGG\n"
     "\xef\xbb\xbf\nWW\n",
     {"a|MK @1:3", "b|LV @3:12", "c|GGWW @5:24"}},
    {"comments", ";c\n>a\nMK\n;c\nLV\n", {"a|MKLV @2:3"}},
    {"empty lines first", "\n\n  \n>a\nMK\n", {"a|MK @4:5"}},
    {"a byte order mark", "\xef\xbb\xbf>a\nMK\n", {"a|MK @1:3"}},
    {"no residues", ">a\n>b\nLV\n>c\n", {"a| !empty @1:0", "b|LV @2:3", "c| !empty @4:9"}},
    {"a final star is for others", ">a\nMK*\n", {"a|MK* @1:0"}},
    {"not UTF-8",
     ">a\nM\xffK\n>\xe9 x\nLV\n>c \xe9\nGG\n",
     {"a|M\xffK !not_utf8 @1:0", "\xe9|LV !not_utf8 @3:7", "c|GG @5:15"}},
    {"'>' inside a line", ">a >b\nM>K\n", {"a|M !bad_record @1:0", "K| !bad_record @2:6"}},
    {"a CSV field would end here", ">a\n\"MK,\n", {"a|\"MK, @1:0"}},
};

}  // namespace

TEST_CASE("a blank, a number or a '>' is seen wherever it stands among residues of any length") {
  for (std::size_t length = 1; length <= 40; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      CAPTURE(length, at);
      std::string residues(length, 'M');
      residues[at == 0 ? length - 1 : at - 1] = '\x7f';  // high, but below the upper half
      residues[at] = ' ';
      const std::string expected = residues.substr(0, at) + residues.substr(at + 1);
      if (expected.empty()) {
        continue;
      }
      const auto records = [](const std::string& text) {
        std::vector<std::string> payloads;
        auto reader = open_fasta(std::make_unique<MemorySource>(text), fasta_settings());
        for (Record record; reader->next(record);) {
          payloads.push_back(record.defect ? "defect" : record.payload);
        }
        return payloads;
      };
      CHECK(records(">a\n" + residues + "\n") == std::vector<std::string>{expected});
      if (at > 0) {
        residues[at] = '>';
        CHECK(records(">a\n" + residues + "\n") == std::vector<std::string>{"defect", "defect"});
      }
    }
  }
}

TEST_CASE("FASTA records come whole, in blocks of any size") {
  for (const FastaCase& one : kFastaCases) {
    for (const std::size_t block : {1UL, 2UL, 3UL, 5UL, 7UL, 16UL, 64UL << 10}) {
      CAPTURE(one.what, block);
      CHECK(read_fasta(one.text, fasta_settings(block)) == one.records);
    }
  }
}

TEST_CASE("reading FASTA goes on from every cursor as if it had not stopped") {
  for (const FastaCase& one : kFastaCases) {
    for (const std::size_t block : {3UL, 256UL}) {
      CAPTURE(one.what, block);
      auto reader = open_fasta(std::make_unique<MemorySource>(one.text), fasta_settings(block));
      for (std::size_t done = 0; done <= one.records.size(); ++done) {
        auto other = open_fasta(std::make_unique<MemorySource>(one.text), fasta_settings(block));
        REQUIRE(other->seek(reader->cursor()));
        CHECK(drain(*other) ==
              Lines(one.records.begin() + static_cast<std::ptrdiff_t>(done), one.records.end()));
        Record record;
        CHECK(reader->next(record) == (done < one.records.size()));
      }
    }
  }
}

TEST_CASE("the description, the id and the sequence can be kept") {
  SourceSettings settings = fasta_settings();
  settings.keep_columns = {"description", "id", "sequence", "set"};
  settings.listed = {std::nullopt, std::nullopt, std::nullopt, "train"};
  CHECK(read_fasta(">a  the first \nMK\nLV\n>b\nGG\n", settings) ==
        Lines{"a|MKLV|the first|a|MKLV|train @1:0", "b|GG||b|GG|train @4:21"});
  settings.keep_columns = {"label"};
  settings.listed.clear();
  const auto error = thrown_by([&] { read_fasta(">a\nMK\n", settings); });
  CHECK(error.code == 2);
  CHECK(error.says("'id', 'description', 'sequence'"));
  settings = fasta_settings();
  settings.sequence_column = "id";
  CHECK(thrown_by([&] { read_fasta(">a\nMK\n", settings); }).code == 2);
  settings = fasta_settings();
  settings.id_column = "description";
  CHECK(read_fasta(">a the first\nMK\n", settings) == Lines{"the first|MK @1:0"});
}

TEST_CASE("what begins with no header is no FASTA") {
  for (const std::size_t block : {1UL, 4096UL}) {
    const auto error =
        thrown_by([&] { read_fasta("\nid,sequence\na,MK\n", fasta_settings(block)); });
    CHECK(error.code == 65);
    CHECK(error.says("x.fasta, line 2 (byte 1)"));
    CHECK(error.says("'id,sequence'"));
  }
  SourceSettings settings = fasta_settings();
  settings.skip_lines = 2;
  CHECK(read_fasta("a title\nor two\n>a\nMK\n", settings) == Lines{"a|MK @3:15"});
  CHECK(read_fasta("", fasta_settings()).empty());
  CHECK(read_fasta("\n \n", fasta_settings()).empty());
}

TEST_CASE("a FASTA record with too long a line, or too many residues, is passed over") {
  for (const std::size_t block : {1UL, 8UL, 4096UL}) {
    CAPTURE(block);
    SourceSettings settings = fasta_settings(block);
    settings.max_line_bytes = 32;
    const std::string long_line(100, 'M');
    const std::string half(20, 'L');
    const std::string text = ">a\n" + long_line + "\nMK\n>b\n" + half + "\n" + half + "\n>c" +
                             long_line + "\nMK\n>d\nMK\n" + half + "\n";
    const auto records = read_fasta(text, settings);
    REQUIRE(records.size() == 4);
    CHECK(records[0] == "a| !line_too_long @1:0");
    CHECK(records[1] == "b| !line_too_long @4:107");
    CHECK(records[2] == "| !line_too_long @7:152");
    CHECK(records[3] == "d|MK" + half + " @9:258");
    const auto error = thrown_by([&] { read_fasta(long_line + "\n>a\nMK\n", settings); });
    CHECK(error.code == 65);
  }
}

TEST_CASE("what is glued to a comment is said of both records, however long the comment is") {
  for (const std::size_t block : {1UL, 8UL, 4096UL}) {
    SourceSettings settings = fasta_settings(block);
    settings.max_line_bytes = 32;
    for (const std::string& note : {std::string("; see"), ";" + std::string(60, 'x')}) {
      CAPTURE(block, note);
      auto reader = open_fasta(
          std::make_unique<MemorySource>(">a\nMK\n" + note + ">b\nLV\n>c\nGG\n"), settings);
      Record a;
      Record b;
      Record c;
      REQUIRE(reader->next(a));
      REQUIRE(reader->next(b));
      REQUIRE(reader->next(c));
      REQUIRE(a.defect);
      CHECK(a.defect->message.find("line 3, a comment, holds a '>'") == 0);
      REQUIRE(b.defect);
      CHECK(b.line == 3);
      if (note.size() < 32) {
        CHECK(b.id == "b");
        CHECK(b.defect->message.find("in a comment, in line 3") != std::string::npos);
      }
      CHECK_FALSE(c.defect);
    }
  }
}

TEST_CASE("a header glued to a line too long to be kept is a record all the same") {
  for (const std::size_t block : {1UL, 8UL, 4096UL}) {
    CAPTURE(block);
    SourceSettings settings = fasta_settings(block);
    settings.max_line_bytes = 32;
    const std::string text =
        ">a\n" + std::string(50, 'M') + ">b\nLV\n>c >d" + std::string(50, 'x') + "\nMK\n>e\nGG\n";
    const auto records = read_fasta(text, settings);
    REQUIRE(records.size() == 4);
    CHECK(records[0] == "a| !line_too_long @1:0");
    CHECK(records[1] == "| !line_too_long @2:3");
    CHECK(records[2] == "| !line_too_long @4:59");
    CHECK(records[3] == "e|GG @6:118");
  }
}

TEST_CASE("what is said of a glued header names the line and what to do") {
  auto reader = open_fasta(std::make_unique<MemorySource>(">a\nMK>b\nLV\n"), fasta_settings());
  Record record;
  REQUIRE(reader->next(record));
  CHECK(record.defect->message.find("line 2 holds a '>' behind residues") == 0);
  CHECK(record.defect->message.find("put a line break before it") != std::string::npos);
  record = Record{};
  REQUIRE(reader->next(record));
  CHECK(record.line == 2);
  CHECK(record.defect->message.find("put a line break before its '>'") != std::string::npos);
}
