// Random damage to inputs of every text format: reading ends with records or with an Error, the
// same whatever the block size, and never with anything else. Meant for the sanitizer build too.
#include <catch2/catch.hpp>
#include <random>

#include "fakes/sanitized.hpp"
#include "input_helpers.hpp"

using namespace longhaul;
using namespace longhaul::input;
using namespace longhaul::input::test;

namespace {

struct Sample {
  InputFormat format;
  std::string text;
};

const std::vector<Sample> kSamples = {
    {InputFormat::kCsv,
     "# preamble\r\nid,sequence,label\r\na,MKLV,0.0\r\n\"b,\"\"c\",\"EV\nQL\",\"\"\r\n\nd,GG,x"},
    {InputFormat::kTsv, "id\tsequence\tlabel\na\tMK\t1\n\"b\t\"\tLV\t2\nc\tGG\t\xc3\xa9\n"},
    {InputFormat::kFasta, "\xef\xbb\xbf;c\n>a b c\nMKLV\nEVQL\r\n\n>b\nGG*\n>c\n"},
    {InputFormat::kJsonLines,
     "{\"id\": \"a\", \"sequence\": \"MK\", \"label\": 1}\n{\"id\": 2, \"sequence\": \"LV\", "
     "\"label\": [1, {\"x\": null}]}\n\n{\"id\": \"\\u00e9\", \"sequence\": null}\r\n"},
};
const std::string kTextSpice[] = {"\"", "\n",   "\r",       "\r\n", ",", "\t",
                                  ">",  "\xff", "\xef\xbb", "{",    "}", std::string(1, '\0'),
                                  "#",  "\\u",  "[",        "\"\"", "-", std::string(90, 'M')};

std::string mutated(std::string text, std::mt19937& random) {
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : random() % n; };
  for (std::size_t change = 1 + below(4); change > 0; --change) {
    const std::size_t at = below(text.size() + 1);
    switch (below(5)) {
      case 0:
        text.insert(at, kTextSpice[below(std::size(kTextSpice))]);
        break;
      case 1:
        text.erase(at, below(8));
        break;
      case 2:
        if (at < text.size()) {
          text[at] = static_cast<char>(below(256));
        }
        break;
      case 3:
        text.insert(at, text.substr(below(text.size() + 1), below(40)));
        break;
      default:
        text.resize(at);
    }
  }
  return text;
}

// Everything a reader says, or its Error.
std::string outcome(const Sample& sample, const std::string& text, std::size_t block) {
  SourceSettings settings;
  settings.name = "x";
  settings.format = sample.format;
  settings.keep_columns = {sample.format == InputFormat::kFasta ? "description" : "label"};
  settings.max_line_bytes = 60;
  settings.block_bytes = block;
  std::string said;
  const auto error = thrown_by([&] {
    auto bytes = std::make_unique<MemorySource>(text);
    auto reader = sample.format == InputFormat::kFasta ? open_fasta(std::move(bytes), settings)
                  : sample.format == InputFormat::kJsonLines
                      ? open_json_lines(std::move(bytes), settings)
                      : open_delimited(std::move(bytes), settings);
    for (Record record; reader->next(record); record = Record{}) {
      said += shown(record) + "\n";
    }
  });
  return said + (error.code == 0 ? "" : std::to_string(error.code) + " " + error.text);
}

}  // namespace

TEST_CASE("damaged inputs give records or an error, the same for every block size") {
  std::mt19937 random(20240501);
  std::size_t errors = 0;
  std::size_t defects = 0;
  for (unsigned round = 0; round < 4000 / fakes::kEach; ++round) {
    const Sample& sample = kSamples[round % kSamples.size()];
    const std::string text = mutated(sample.text, random);
    CAPTURE(text);
    const std::string whole = outcome(sample, text, 4096);
    errors += whole.find("65 ") != std::string::npos || whole.find("2 x") != std::string::npos;
    defects += whole.find(" !") != std::string::npos;
    // What the beginning shows depends on the block: a zero byte means a binary file, and the keys
    // ahead choose the columns of JSON lines. All else does not.
    if (text.find('\0') == std::string::npos && sample.format != InputFormat::kJsonLines) {
      REQUIRE(outcome(sample, text, 1) == whole);
      REQUIRE(outcome(sample, text, 7) == whole);
    } else {
      outcome(sample, text, 1 + random() % 40);
    }
  }
  CHECK(errors > 100 / fakes::kEach);
  CHECK(defects > 400 / fakes::kEach);
}
