#include <catch2/catch.hpp>

#include "input_helpers.hpp"

using namespace longhaul;
using namespace longhaul::input;
using namespace longhaul::input::test;

namespace {

using Lines = std::vector<std::string>;

SourceSettings json_settings(std::size_t block = 256 << 10) {
  SourceSettings settings;
  settings.name = "x.jsonl";
  settings.format = InputFormat::kJsonLines;
  settings.block_bytes = block;
  return settings;
}

Lines read_json(const std::string& text, const SourceSettings& settings = json_settings()) {
  return drain(*open_json_lines(std::make_unique<MemorySource>(text), settings));
}

// The columns are chosen by the first line, so that every case can be read in small blocks.
const std::string kFirst = R"({"id": "f", "sequence": "MK"})";

struct JsonCase {
  std::string what;
  std::string line;
  std::string record;
};

const std::vector<JsonCase> kJsonCases = {
    {"strings", R"({"id": "a", "sequence": "LV"})", "a|LV"},
    {"another order and other keys", R"({"x": [1, {"id": 2}], "sequence": "LV", "id": "a"})",
     "a|LV"},
    {"escapes", R"({"id": "\u00e9\n\"", "sequence": "L\/V"})", "\xc3\xa9\n\"|L/V"},
    {"an id that is a number", R"({"id": 001.50, "sequence": "LV"})", "| !bad_json"},
    {"an id of digits as they are", R"({"id": 1.500 , "sequence": "LV"})", "1.500|LV"},
    {"an id that is true", R"({"sequence": "LV", "id":true})", "true|LV"},
    {"an id that is null", R"({"id": null, "sequence": "LV"})", "|LV"},
    {"an id that is an object", R"({"id": { "a" : [1, 2] }, "sequence": "LV"})",
     R"({"a":[1,2]}|LV)"},
    {"no id", R"({"sequence": "LV"})", "|LV"},
    {"no sequence", R"({"id": "a"})", "a| !missing_value"},
    {"null", R"({"id": "a", "sequence": null})", "a| !missing_value"},
    {"an empty sequence", R"({"id": "a", "sequence": ""})", "a| !empty"},
    {"a number for a sequence", R"({"id": "a", "sequence": 5})", "a| !bad_record"},
    {"two sequences", R"({"id": "a", "sequence": "MK", "sequence": "LV"})", "a| !bad_record"},
    {"an array", R"(["LV"])", "| !bad_record"},
    {"a bare string", R"("LV")", "| !bad_record"},
    {"a cut line", R"({"id": "a", "sequence": "LV)", "| !bad_json"},
    {"a trailing comma", R"({"id": "a", "sequence": "LV",})", "| !bad_json"},
    {"a bad atom in an unused key", R"({"id": "a", "x": tru, "sequence": "LV"})", "| !bad_json"},
    {"two objects", R"({"id": "a", "sequence": "LV"} {"id": "b"})", "| !bad_json"},
    {"text", "id,sequence", "| !bad_json"},
    {"not UTF-8", "{\"id\": \"\xe9\", \"sequence\": \"LV\"}", "| !not_utf8"},
    {"a lone surrogate", R"({"id": "\ud800", "sequence": "LV"})", "| !bad_json"},
};

}  // namespace

TEST_CASE("JSON lines are taken as they are, a bad one alone, in blocks of any size") {
  for (const JsonCase& one : kJsonCases) {
    for (const std::string end : {"\n", "\r\n", "\n\n  \n"}) {
      for (const std::size_t block : {1UL, 3UL, 7UL, 16UL, 31UL, 64UL << 10}) {
        CAPTURE(one.what, block, end);
        const std::string text = kFirst + end + one.line + end + kFirst;
        const auto records = read_json(text, json_settings(block));
        const std::uint64_t lines = end == "\n\n  \n" ? 3 : 1;
        const auto at = [&](std::size_t line, std::size_t byte) {
          return " @" + std::to_string(1 + line * lines) + ":" + std::to_string(byte);
        };
        REQUIRE(records.size() == 3);
        CHECK(records[0] == "f|MK" + at(0, 0));
        CHECK(records[1] == one.record + at(1, kFirst.size() + end.size()));
        CHECK(records[2] == "f|MK" + at(2, text.size() - kFirst.size()));
      }
    }
  }
}

TEST_CASE("reading JSON lines goes on from every cursor as if it had not stopped") {
  std::string text;
  for (const JsonCase& one : kJsonCases) {
    text += kFirst + "\n" + one.line + "\r\n\n";
  }
  const Lines all = read_json(text);
  REQUIRE(all.size() == 2 * kJsonCases.size());
  auto reader = open_json_lines(std::make_unique<MemorySource>(text), json_settings(16));
  for (std::size_t done = 0; done <= all.size(); ++done) {
    auto other = open_json_lines(std::make_unique<MemorySource>(text), json_settings(64));
    REQUIRE(other->seek(reader->cursor()));
    CHECK(drain(*other) == Lines(all.begin() + static_cast<std::ptrdiff_t>(done), all.end()));
    Record record;
    CHECK(reader->next(record) == (done < all.size()));
  }
}

TEST_CASE("kept values are strings or their JSON text") {
  SourceSettings settings = json_settings();
  settings.keep_columns = {"label", "tags", "set"};
  settings.listed = {std::nullopt, std::nullopt, "test"};
  CHECK(read_json(R"({"seq": "MK", "label": 0.0, "tags": ["a", "b"]})"
                  "\n"
                  R"({"seq": "LV", "label": "x\ty", "tags": null})"
                  "\n"
                  R"({"seq": "GG", "set": "train"})"
                  "\n",
                  settings) ==
        Lines{R"(|MK|0.0|["a","b"]|test @1:0)", "|LV|x\ty||test @2:48", "|GG|||train @3:93"});
}

TEST_CASE("the columns of JSON lines are the keys at the beginning") {
  const auto wrong = [](const std::string& text, auto change) {
    SourceSettings settings = json_settings();
    change(settings);
    return thrown_by([&] { read_json(text, settings); });
  };
  const auto nothing = [](SourceSettings&) {};
  const auto lacking = wrong(R"({"name": "a", "aa": "MK"})", nothing);
  CHECK(lacking.code == 65);
  CHECK(lacking.says("'name', 'aa'"));
  CHECK(wrong("{\"seq\": \"MK\"}\n{\"sequence\": \"MK\"}\n", nothing).code == 2);
  const auto absent = wrong(R"({"seq": "MK"})", [](SourceSettings& s) { s.id_column = "name"; });
  CHECK(absent.code == 2);
  CHECK(absent.says("'seq'"));
  // Names in another case, of the sequence, the id and what is kept; "nan" is a string.
  SourceSettings kept = json_settings();
  kept.keep_columns = {"label"};
  CHECK(read_json(R"({"ID": "a", "Sequence": "nan", "Label": 1})", kept) == Lines{"a|nan|1 @1:0"});
  // The first line may lack what others have, or be broken.
  CHECK(read_json("{\"x\": 1}\n{\n{\"seq\": \"MK\"}\n") ==
        Lines{"| !missing_value @1:0", "| !bad_json @2:9", "|MK @3:11"});
}

TEST_CASE("what holds no JSON object is no JSON lines") {
  CHECK(thrown_by([] { read_json("[\n{\"seq\": \"MK\"},\n{\"seq\": \"LV\"}\n]\n"); }).code == 65);
  CHECK(thrown_by([] { read_json("id,sequence\na,MK\n"); }).says("no line is a JSON object"));
  CHECK(thrown_by([] { read_json("\n\n"); }).says("no text"));
}

TEST_CASE("a JSON line over the cap is passed over") {
  for (const std::size_t block : {1UL, 8UL, 4096UL}) {
    SourceSettings settings = json_settings(block);
    settings.max_line_bytes = kFirst.size();
    const std::string text =
        kFirst + "\n" + R"({"id": "a", "sequence": ")" + std::string(200, 'M') + "\"}\n" + kFirst;
    const auto records = read_json(text, settings);
    REQUIRE(records.size() == 3);
    CHECK(records[1] == "| !line_too_long @2:" + std::to_string(kFirst.size() + 1));
    CHECK(records[2].find("f|MK @3:") == 0);
  }
}

TEST_CASE("a value nested deeper than the stack makes its line a reject, used or not") {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  for (const std::string key : {"id", "x"}) {
    const std::string line = R"({"sequence": "LV", ")" + key + "\": " + deep + "}";
    auto reader = open_json_lines(
        std::make_unique<MemorySource>(kFirst + "\n" + line + "\n" + kFirst), json_settings());
    Record record;
    REQUIRE(reader->next(record));
    record = {};
    REQUIRE(reader->next(record));
    REQUIRE(record.defect);
    CHECK(record.defect->reason == Reason::kBadJson);
    CHECK(record.defect->message.find("256 levels") != std::string::npos);
    record = {};
    REQUIRE(reader->next(record));
    CHECK_FALSE(record.defect);
  }
}

TEST_CASE("the columns that are chosen do not depend on how the bytes arrive") {
  const std::string text =
      "{\"a\": 1}\n{\"b\": 2}\n" + kFirst + "\n" + R"({"id": "g", "seq": "MK"})";
  for (std::size_t block = 4; block < text.size() + 4; ++block) {
    const auto outcome = [&](std::size_t most) {
      std::string said;
      const Thrown thrown = thrown_by([&] {
        auto bytes = std::make_unique<MemorySource>(text, most);
        for (const std::string& record :
             drain(*open_json_lines(std::move(bytes), json_settings(block)))) {
          said += record + "\n";
        }
      });
      return said + thrown.text;
    };
    for (std::size_t most = 1; most < 12; ++most) {
      CAPTURE(block, most);
      REQUIRE(outcome(most) == outcome(text.size()));
    }
  }
}
