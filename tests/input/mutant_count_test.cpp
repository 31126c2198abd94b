// Damaged inputs of every text format: what the reader sees (records, rejects, rows left out) is
// what a count by the rules alone sees (rules_count.hpp).
#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

#include "fakes/sanitized.hpp"
#include "input_helpers.hpp"
#include "rules_count.hpp"

using namespace longhaul;
using namespace longhaul::input;
using namespace longhaul::input::test;

namespace {

struct Format {
  InputFormat format;
  std::string first;  // stays as it is
  std::string rest;
  Seen (*count)(const std::vector<TextLine>&);
};

const std::vector<Format> kFormats = {
    {InputFormat::kCsv, "id,note,sequence\n",
     "a,x,MK\nb,\"y, z\",LV\r\nc,,GG\n,,\nd,\"p\nq\",WW\ne,5 in,MM\n\nf,x,KK\ng,x,LL\nh,x,AA\n",
     [](const std::vector<TextLine>& lines) { return count_csv(lines, 3); }},
    {InputFormat::kCsv, "sequence\n", "MK\nLV\r\n\"GG\"\n\nWW\nMM\n",
     [](const std::vector<TextLine>& lines) { return count_csv(lines, 1); }},
    {InputFormat::kTsv, "id\tnote\tsequence\n",
     "a\tx\tMK\nb\t\"y\tz\"\tLV\r\nc\t\tGG\n\t\t\nd\t5\"\tWW\n\ne\tx\tMM\nf\tx\tKK\n", count_tsv},
    {InputFormat::kFasta, ">first\n",
     "MK\n>a x y\nMKLV\nEV QL\r\n;note\n\n>b\n  1 GGWW\n>c\nLV*\n>d\nMM", count_fasta},
    {InputFormat::kJsonLines, "{\"id\": \"z\", \"sequence\": \"MK\"}\n",
     "{\"id\": \"a\", \"sequence\": \"LV\"}\n\n{\"id\": 2, \"sequence\": null}\r\n"
     "{\"id\": \"c\", \"x\": [1, {}]}\n{\"sequence\": \"GG\"}",
     count_json},
};

const std::string kSpice[] = {"\"",
                              "\"",
                              "\n",
                              "\r",
                              "\r\n",
                              ">",
                              ",",
                              "\t",
                              "\n\n",
                              "\n,,\n",
                              "\n\t\t\n",
                              "\"\"",
                              ";",
                              "\n>",
                              "\xef\xbb\xbf",
                              "\n \n",
                              "\"\n",
                              "\xff",
                              std::string(1, '\0'),
                              "{"};

class Mutator {
 public:
  explicit Mutator(std::uint32_t seed) : random_(seed) {}
  std::string mutated(std::string text) {
    for (std::size_t change = 1 + below(4); change > 0; --change) {
      const std::size_t at = below(text.size() + 1);
      switch (below(8)) {
        case 0:
          text.erase(at, below(6));
          break;
        case 1:
          text.insert(at, text.substr(below(text.size() + 1), below(25)));
          break;
        case 2:
          text.resize(at);
          break;
        case 3:
          if (below(4) == 0) {
            text.insert(at, std::string(kCap + below(50), 'M'));
          }
          break;
        case 4:
          while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
            text.pop_back();
          }
          break;
        default:
          text.insert(at, kSpice[below(std::size(kSpice))]);
      }
    }
    return text;
  }
  std::size_t below(std::size_t n) { return random_() % n; }

 private:
  std::mt19937 random_;
};

Seen read_by(const Format& format, const std::string& text, std::size_t block,
             std::uint64_t& defects) {
  SourceSettings settings;
  settings.name = "x";
  settings.format = format.format;
  settings.max_line_bytes = kCap;
  settings.block_bytes = block;
  settings.delimiter = format.format == InputFormat::kCsv   ? std::optional(',')
                       : format.format == InputFormat::kTsv ? std::optional('\t')
                                                            : std::nullopt;
  if (format.format != InputFormat::kFasta) {
    settings.sequence_column = "sequence";
  }
  Seen seen;
  seen.error = thrown_by([&] {
                 auto bytes = std::make_unique<MemorySource>(text);
                 auto reader = format.format == InputFormat::kFasta
                                   ? open_fasta(std::move(bytes), settings)
                               : format.format == InputFormat::kJsonLines
                                   ? open_json_lines(std::move(bytes), settings)
                                   : open_delimited(std::move(bytes), settings);
                 for (Record record; reader->next(record); record = Record{}) {
                   seen.begin.push_back(record.line);
                   defects += record.defect ? 1U : 0U;
                 }
                 seen.blank_rows = reader->left_out().total();
               }).code != 0;
  return seen;
}

}  // namespace

TEST_CASE("of damaged inputs every record is seen, where a count by the rules sees it") {
  const std::size_t rounds = (std::getenv("LONGHAUL_LONG") != nullptr ? 4000 : 400) / fakes::kEach;
  std::uint64_t defects = 0;
  std::uint64_t errors = 0;
  std::uint64_t records = 0;
  std::uint64_t blank_rows = 0;
  for (std::size_t number = 0; number < kFormats.size(); ++number) {
    const Format& format = kFormats[number];
    Mutator mutator(static_cast<std::uint32_t>(20261127 + number));
    for (std::size_t round = 0; round < rounds; ++round) {
      const std::string text = format.first + mutator.mutated(format.rest);
      CAPTURE(number, round, text);
      Seen expected = format.count(lines_of(text));
      if (text.find('\0') != std::string::npos) {
        expected = {{}, true, 0};  // no text at all
      }
      const Seen seen = read_by(format, text, 1U << 16, defects);
      REQUIRE(seen.error == expected.error);
      REQUIRE(seen.begin == expected.begin);
      if (!expected.error) {
        REQUIRE(seen.blank_rows == expected.blank_rows);
        blank_rows += seen.blank_rows;
      }
      if (text.find('\0') == std::string::npos && format.format != InputFormat::kJsonLines) {
        std::uint64_t ignored = 0;
        REQUIRE(read_by(format, text, 1 + mutator.below(60), ignored).begin == expected.begin);
      }
      errors += expected.error ? 1U : 0U;
      records += seen.begin.size();
    }
  }
  CHECK(records > 3 * rounds * kFormats.size());
  CHECK(defects > rounds);
  CHECK(blank_rows > rounds);
  CHECK(errors > rounds / 20);
}
