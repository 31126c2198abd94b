#include "run/record_gatherer.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "encode/card.hpp"
#include "encode/pooling.hpp"
#include "fakes/vector_reader.hpp"
#include "prepare/sequence_preprocessor.hpp"

using namespace longhaul;
using namespace longhaul::run;

namespace {

constexpr std::uint32_t kDimension = 2;
const std::vector<OutputSpec> kBoth{
    {.dimension = kDimension},
    {.name = "tokens", .kind = ArrayKind::kTokens, .dimension = kDimension}};

encode::Alphabet alphabet() {
  encode::Alphabet alphabet;
  alphabet.tokens = {"[PAD]", "[CLS]", "[SEP]", "A", "C", "D"};
  alphabet.allowed = "ACD";
  alphabet.prepend = 1;
  alphabet.append = 2;
  return alphabet;
}

// Windows of eight residues, of which four are shared.
prepare::Prepared measured(const std::string& residues) {
  const prepare::SequencePreprocessor preprocessor(
      alphabet(), {.max_tokens = 10, .windows = true, .overlap = 4});
  return preprocessor.measure(fakes::sequence_record(0, residues));
}

// A residue's vector: its token, and 100 for each place before it in its segment.
encode::EncodedBatch encoded(const encode::HostBatch& batch) {
  encode::EmbeddingBlock pooled{.rows = batch.used_rows, .dimension = kDimension, .values = {}};
  encode::EmbeddingBlock tokens = pooled;
  tokens.firsts = {0};
  std::vector<float> hidden;
  for (std::uint32_t row = 0; row < batch.rows; ++row) {
    for (std::uint32_t column = 0; column < batch.width; ++column) {
      hidden.push_back(static_cast<float>(batch.tokens[row * batch.width + column]));
      hidden.push_back(static_cast<float>(column) * 100);
    }
  }
  for (std::uint32_t row = 0; row < batch.used_rows; ++row) {
    const encode::Columns columns = residue_columns(alphabet(), batch, row);
    const auto at = [&](std::uint32_t column) {
      return hidden.begin() + std::ptrdiff_t{row * batch.width + column} * kDimension;
    };
    tokens.values.insert(tokens.values.end(), at(columns.first), at(columns.last));
    tokens.firsts.push_back(tokens.values.size() / kDimension);
  }
  pooled.values = pool_tokens(hidden, batch, kDimension, Pooling::kMean, alphabet());
  pooled.sums = sum_segments(hidden, batch, kDimension);
  return {{pooled, tokens}};
}

struct Gathered {
  std::vector<std::uint32_t> records;
  BatchEncoder::Result result;

  std::vector<float> output(std::uint32_t row, std::size_t which) const {
    std::vector<std::span<const float>> numbers;
    const auto found = result.rows.row(row, numbers)[which];
    return {found.begin(), found.end()};
  }
};

Gathered gather(RecordGatherer& gatherer, const std::vector<prepare::Row>& rows,
                std::vector<BatchEncoder::Failure> failures = {}) {
  const prepare::SequencePreprocessor preprocessor(
      alphabet(), {.max_tokens = 10, .windows = true, .overlap = 4});
  Gathered gathered;
  gathered.result.rows = EncodedRows(static_cast<std::uint32_t>(rows.size()));
  gathered.result.rows.put(0, encoded(preprocessor.assemble(rows, 10, 0).batch));
  gathered.result.failures = std::move(failures);
  gathered.records = gatherer.gather(rows, gathered.result);
  return gathered;
}

const std::string kLong = "AACCDDAACCDDA";  // 13: windows from 0, 4 and 5

}  // namespace

TEST_CASE("a long record's residues are those of its segments, each once") {
  prepare::Prepared record = measured(kLong);
  REQUIRE(record.segments == 3);
  CHECK(record.tokens == 10);
  CHECK(record.length == 13);
  RecordGatherer gatherer(kBoth, Normalize::kNone);
  const Gathered gathered = gather(gatherer, {{&record, 0}, {&record, 1}, {&record, 2}});
  CHECK(gathered.records == std::vector<std::uint32_t>{2});
  REQUIRE(gathered.result.rows.count() == 1);
  // Middles 3.5, 7.5 and 8.5: residues to 5, to 8, and the rest; their columns count from 1.
  const std::vector<float> places{1, 2, 3, 4, 5, 6, 3, 4, 5, 5, 6, 7, 8};
  const std::vector<float> tokens = gathered.output(0, 1);
  REQUIRE(tokens.size() == places.size() * kDimension);
  double letters = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto letter = static_cast<float>(3 + std::string("ACD").find(kLong[i]));
    CHECK(tokens[i * 2] == letter);
    CHECK(tokens[i * 2 + 1] == places[i] * 100);
    letters += static_cast<double>(letter);
  }
  const double sum = 100 * std::accumulate(places.begin(), places.end(), 0.0);
  CHECK(gathered.output(0, 0) ==
        std::vector<float>{static_cast<float>(letters / 13), static_cast<float>(sum / 13)});
}

TEST_CASE("records among others and over several batches have the same numbers") {
  prepare::Prepared first = measured(kLong);
  prepare::Prepared fits = measured("ACD");
  prepare::Prepared second = measured(kLong + "CA");
  RecordGatherer at_once(kBoth, Normalize::kL2);
  const Gathered all = gather(at_once, {{&first, 0},
                                        {&first, 1},
                                        {&first, 2},
                                        {&fits, 0},
                                        {&second, 0},
                                        {&second, 1},
                                        {&second, 2}});
  CHECK(all.records == std::vector<std::uint32_t>{2, 3, 6});
  const std::vector<float> vector = all.output(0, 0);
  CHECK(std::abs(std::hypot(vector[0], vector[1]) - 1) < 1e-6F);
  RecordGatherer apart(kBoth, Normalize::kL2);
  CHECK(gather(apart, {{&first, 0}, {&first, 1}}).records.empty());
  const Gathered end = gather(apart, {{&first, 2}, {&fits, 0}, {&second, 0}});
  CHECK(end.records == std::vector<std::uint32_t>{0, 1});
  const Gathered last = gather(apart, {{&second, 1}, {&second, 2}});
  for (const std::size_t output : {0U, 1U}) {
    CHECK(end.output(0, output) == all.output(0, output));
    CHECK(end.output(1, output) == all.output(1, output));
    CHECK(last.output(0, output) == all.output(2, output));
  }
}

TEST_CASE("a record with a segment without numbers fails, once, and says which") {
  prepare::Prepared record = measured(kLong);
  prepare::Prepared fits = measured("ACD");
  RecordGatherer gatherer(kBoth, Normalize::kNone);
  const Defect none{Reason::kNotFinite, "NaN"};
  const Gathered begun = gather(gatherer, {{&fits, 0}, {&record, 0}}, {{1, none}});
  CHECK(begun.records == std::vector<std::uint32_t>{0});
  CHECK(begun.result.failures.empty());
  CHECK(begun.result.stayed_not_finite == 0);
  const Gathered ended = gather(gatherer, {{&record, 1}, {&record, 2}, {&fits, 0}}, {{1, none}});
  CHECK(ended.records == std::vector<std::uint32_t>{1, 2});
  REQUIRE(ended.result.failures.size() == 1);
  CHECK(ended.result.failures[0].row == 0);
  CHECK(ended.result.failures[0].defect.message == "window 1 of 3: NaN");
  CHECK(ended.result.stayed_not_finite == 1);
  CHECK(ended.output(1, 0) == begun.output(0, 0));
  // The next one is none the worse.
  CHECK(gather(gatherer, {{&record, 0}, {&record, 1}, {&record, 2}}).result.failures.empty());
}
