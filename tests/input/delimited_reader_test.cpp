#include <catch2/catch.hpp>

#include "fakes/recording_log.hpp"
#include "input/delimited_reader.hpp"
#include "input_helpers.hpp"
#include "table_helpers.hpp"

using namespace longhaul;
using namespace longhaul::input;
using namespace longhaul::input::test;

namespace {

using Lines = std::vector<std::string>;

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
    {"byte order marks of joined files",
     "\xef\xbb\xbfid,sequence\na,MK\n\xef\xbb\xbf"
     "b,LV\n\xef\xbb\xbf\"c\",GG\n",
     {"a|MK @2:15", "b|LV @3:23", "c|GG @4:31"}},
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
    {"cells that pandas writes for what is missing",
     "id,sequence\na,nan\nb,NaN\nc,NAN\nd,\"nan\"\n",
     {"a| !missing_value @2:12", "b| !missing_value @3:18", "c|NAN @4:24",
      "d| !missing_value @5:30"}},
    {"blank rows of spreadsheets",
     "id,sequence\n,\na,MK\n , \nb,LV\n,,,\n\"\",\"\"\n",
     {"a|MK @3:14", "b|LV @5:23"}},
    {"a real cell over lines",
     "id,note,sequence\na,\"one\ntwo\",MK\nb,x,LV\n",
     {"a|MK @2:17", "b|LV @4:32"}},
    {"two stray quotes and rows between them",
     "id,note,sequence\na,x,MK\nb,\"lone,LV\nc,x,GG\nd,5\",MM\ne,x,WW\n",
     {"a|MK @2:17", "b| !bad_record @3:24", "c|GG @4:35", "d| !bad_record @5:42", "e|WW @6:50"}},
    {"two stray quotes in neighbouring rows",
     "id,note,sequence\nb,\"lone,LV\nd,5\",MM\ne,x,WW\n",
     {"b| !bad_record @2:17", "d| !bad_record @3:28", "e|WW @4:36"}},
    {"a stray quote and a quoted cell",
     "id,note,sequence\nb,\"lone,LV\nc,\"x\",GG\nd,x,MM\n",
     {"b| !bad_record @2:17", "c| !bad_record @3:28", "d|MM @4:37"}},
    {"stray quotes around blank and short rows",
     "id,note,sequence\nb,\"lone,LV\n\nc,x,GG\n,,\nshort\nd,5\",MM\n",
     {"b| !bad_record @2:17", "c|GG @4:29", "short| !wrong_field_count @6:39",
      "d| !bad_record @7:45"}},
    {"a stray quote that never closes",
     "id,note,sequence\na,x,MK\nb,\"lone,LV\nc,x,GG",
     {"a|MK @2:17", "b| !bad_record @3:24", "c|GG @4:35"}},
    {"a last line that a stray quote cuts short",
     "id,sequence,label\na,MK,1\nc,\"LV\n",
     {"a|MK @2:18", "c| !bad_record @3:25"}},
    {"last lines that are no records, behind a stray quote",
     "id,sequence,label\na,MK,1\nc,\"LV\nsome\nwords",
     {"a|MK @2:18", "c| !bad_record @3:25"}},
    {"a header line again",
     "id,sequence\na,MK\nid,sequence\nb,LV\nID,SEQUENCE\nid,LV\n",
     {"a|MK @2:12", "id|sequence !bad_record @3:17", "b|LV @4:29", "ID|SEQUENCE !bad_record @5:34",
      "id|LV @6:46"}},
    {"a header line again, in another order",
     "id,sequence\na,MK\nsequence,id\n",
     {"a|MK @2:12", "sequence|id !bad_record @3:17"}},
    {"a header of one column again",
     "seq\nMK\nseq\nSEQ\nMKseq\nMKsEQ\n",
     {"|MK @2:4", "|seq !bad_record @3:7", "|SEQ @4:11", "|MKseq !bad_record @5:15",
      "|MKsEQ @6:21"}},
    {"semicolons", "id;sequence\na;M,K\n", {"a|M,K @2:12"}},
    {"bars", "id|sequence\na|MK\n", {"a|MK @2:12"}},
    {"tabs under a name of commas", "id\tsequence\na\t\"MK\n", {"a|\"MK @2:12"}},
    {"a line that names the delimiter", "sep=;\r\nid;sequence\na;MK\n", {"a|MK @3:19"}},
    {"a quoted line that names it", "\"sep=|\"\nid|sequence\na|MK\n", {"a|MK @3:20"}},
    {"names in other cases", "ID,Sequence\na,MK\n", {"a|MK @2:12"}},
    {"AIRR's ids", "sequence_id,seq\na,MK\n", {"a|MK @2:16"}},
    {"UniProt's ids", "Entry,Length,Sequence\nP1,2,MK\n", {"P1|MK @2:22"}},
    {"id goes before accession", "accession,id,seq\nx,a,MK\n", {"a|MK @2:17"}},
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
      CHECK(read(one.text, table_settings(block)) == one.records);
    }
  }
}

TEST_CASE("TSV splits at tabs and quotes alike") {
  SourceSettings settings = table_settings();
  settings.format = InputFormat::kTsv;
  CHECK(read("id\tsequence\na,b\tMK\n\"c\td\"\tLV\n", settings) ==
        Lines{"a,b|MK @2:12", "c\td|LV @3:19"});
}

TEST_CASE("a delimiter that is asked for goes before what the header looks like") {
  SourceSettings settings = table_settings();
  settings.delimiter = ';';
  CHECK(read("id;seq,x\na;MK\n", [&] {
          auto named = settings;
          named.sequence_column = "seq,x";
          return named;
        }()) == Lines{"a|MK @2:9"});
  settings.delimiter = '!';
  CHECK(read("id!seq\na!MK\n", settings) == Lines{"a|MK @2:7"});
  // Two ways to read it: asked.
  SourceSettings doubt = table_settings();
  doubt.sequence_column = "a";
  doubt.format = InputFormat::kTsv;
  const auto asked = thrown_by([&] { read("a;x,a\nMK;LV,GG\n", doubt); });
  CHECK(asked.code == 2);
  CHECK(asked.says("--delimiter"));
}

TEST_CASE("reading a CSV goes on from every cursor as if it had not stopped") {
  for (const Case& one : kCases) {
    for (const std::size_t block : {3UL, 256UL}) {
      if (one.text.find('\0') != std::string::npos && block > 7) {
        continue;
      }
      CAPTURE(one.what, block);
      auto reader = open_delimited(std::make_unique<MemorySource>(one.text), table_settings(block));
      for (std::size_t done = 0; done <= one.records.size(); ++done) {
        const SourceCursor cursor = reader->cursor();
        auto other =
            open_delimited(std::make_unique<MemorySource>(one.text), table_settings(block));
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
  SourceSettings settings = table_settings();
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
  SourceSettings settings = table_settings();
  settings.skip_lines = 2;
  CHECK(read("a title, with \"quotes\n\n# more\nid,sequence\na,MK\n", settings) ==
        Lines{"a|MK @5:42"});
}

TEST_CASE("a line over the cap is passed over, and reading goes on behind it") {
  for (const std::size_t block : {1UL, 8UL, 40UL, 4096UL}) {
    for (const std::string end : {"\n", "\r\n", "\r"}) {
      CAPTURE(block, end);
      SourceSettings settings = table_settings(block);
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

TEST_CASE("what is no text is refused with the byte") {
  const auto binary = thrown_by([] { read(std::string("id,sequence\na,\0MK\n", 18)); });
  CHECK(binary.code == 65);
  CHECK(binary.says("binary"));
  CHECK(binary.says("byte 14 (line 2)"));
  CHECK(thrown_by([] { read("\x1f\x8b\x08"); }).says("gzip"));
  CHECK(thrown_by([] { read("\xff\xfei\0d\0"); }).says("UTF-16"));
  CHECK(thrown_by([] { read("PAR1...."); }).says("Parquet"));
  CHECK(thrown_by([] { read(""); }).code == 65);
  CHECK(thrown_by([] { read("\n\n"); }).says("empty"));
  CHECK(thrown_by([] { read("id,\"seq\"uence\na,MK\n"); }).says("line 1: the header"));
}

TEST_CASE("columns are chosen by name, and doubts are asked about") {
  const auto with = [](const std::string& header, auto change) {
    SourceSettings settings = table_settings();
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
  const auto lacking = with("name,Protein", nothing);
  CHECK(lacking.code == 65);
  CHECK(lacking.says("'name', 'Protein'"));
  CHECK(with("Seq,SEQ", nothing).says("'Seq', 'SEQ'"));
  CHECK(with("Seq,SEQ", [](SourceSettings& s) { s.sequence_column = "SEQ"; }).code == 0);
  CHECK(with("Id,ID,seq", nothing).code == 2);
  const auto airr = with("sequence_id,sequence,sequence_vdj_aa,sequence_alignment_aa", nothing);
  CHECK(airr.code == 2);
  CHECK(airr.says("'sequence', 'sequence_vdj_aa', 'sequence_alignment_aa'"));
  CHECK(airr.says("--sequence-column sequence_vdj_aa"));
  const auto protein = with("sequence_id,sequence_alignment_aa", nothing);
  CHECK(protein.code == 65);
  CHECK(protein.says("say --sequence-column sequence_alignment_aa"));
  const auto wrong = with("id,seq", [](SourceSettings& s) { s.sequence_column = "vh"; });
  CHECK(wrong.code == 2);
  CHECK(wrong.says("'vh'"));
  CHECK(wrong.says("'id', 'seq'"));
  CHECK(with("id,seq", [](SourceSettings& s) { s.id_column = "name"; }).code == 2);
  CHECK(with("id,seq", [](SourceSettings& s) { s.keep_columns = {"y"}; }).code == 2);
  CHECK(with("sequence,sequence_aa", [](SourceSettings& s) {
          s.sequence_column = "sequence_aa";
        }).code == 0);
  SourceSettings settings = table_settings();
  settings.sequence_column = "aa";
  settings.id_column = "name";
  CHECK(read("name,id,aa,sequence\nn,i,MK,LV\n", settings) == Lines{"n|MK @2:20"});
}

TEST_CASE("rows of blank cells are counted, from the place that was gone to") {
  const std::string text = "id,sequence\n,\na,MK\n,\n,\nb,LV\n,\n";
  auto reader = open_delimited(std::make_unique<MemorySource>(text), table_settings());
  Record record;
  CHECK(reader->left_out().empty());
  REQUIRE(reader->next(record));
  CHECK(reader->left_out().counts().at("blank rows") == 1);
  const SourceCursor cursor = reader->cursor();
  while (reader->next(record)) {
  }
  CHECK(reader->left_out().counts().at("blank rows") == 4);
  auto other = open_delimited(std::make_unique<MemorySource>(text), table_settings());
  REQUIRE(other->seek(cursor));
  CHECK(drain(*other) == Lines{"b|LV @6:23"});
  CHECK(other->left_out().counts().at("blank rows") == 3);
}

TEST_CASE("a table without a header is told so, with the header it lacks") {
  const auto said = [](const std::string& text, SourceSettings settings = table_settings()) {
    return thrown_by([&] { read(text, settings); });
  };
  const auto plain = said("r1,MKLVW\nr2,AKLEY\n");
  CHECK(plain.code == 65);
  CHECK(plain.says("line 1: looks like a record ('MKLVW')"));
  CHECK(plain.says("(echo id,sequence; cat x.csv) | longhaul embed MODEL - --format csv"));
  CHECK_FALSE(plain.says("--sequence-column"));
  CHECK(said("MKLVW\nAKLEY\n").says("(echo sequence; cat x.csv)"));
  CHECK(said("MKLVW;r1;3\n").says("(echo 'sequence;id;column3'; cat x.csv)"));
  SourceSettings asked = table_settings();
  asked.sequence_column = "protein";
  CHECK(said("r1,MKLVW\n", asked).says("(echo id,protein; "));
  SourceSettings tabs = table_settings();
  tabs.format = InputFormat::kTsv;
  tabs.name = "a b.tsv.gz";
  CHECK(said("r1\tMKLVW\n", tabs).says("(printf 'id\\tsequence\\n'; gzip -dc 'a b.tsv.gz')"));
  const auto comment = said("# made by x\n#id,sequence\nr1,MKLVW\n");
  CHECK(comment.code == 65);
  CHECK(comment.says("line 2: '#id,sequence' would be its header"));
  CHECK(comment.says("sed '2s/^[# ]*//'"));
  CHECK(said("id,peptide\nr1,MKLVW\n").says("--sequence-column"));
  fakes::RecordingLog log;
  InputNotes notes(&log);
  SourceSettings named = table_settings();
  named.sequence_column = "MKLVW";
  named.notes = &notes;
  CHECK(read("r1,MKLVW\nr2,AKLEY\n", named).size() == 1);
  REQUIRE(log.warnings().size() == 1);
  CHECK(log.warnings().front().find("line 1: is read as the header") != std::string::npos);
}
