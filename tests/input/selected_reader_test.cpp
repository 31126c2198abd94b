#include "input/selected_reader.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <random>

#include "base/error.hpp"
#include "fakes/vector_reader.hpp"

using namespace longhaul;
using namespace longhaul::fakes;
using namespace longhaul::input;

namespace {

// Wants what a coin that remembers says.
class SomeRecords : public Selection {
 public:
  SomeRecords(unsigned seed, unsigned of_ten) : seed_(seed), of_ten_(of_ten) {}
  bool wants(std::uint64_t position, const Record&) override {
    return ((position + seed_ + 1) * 0x9E3779B97F4A7C15ULL >> 33) % 10 < of_ten_;
  }
  std::optional<std::uint64_t> count_of(std::optional<std::uint64_t>) const override {
    return std::nullopt;
  }

 private:
  std::uint64_t seed_;
  unsigned of_ten_;
};

using MakeSelection = std::function<std::unique_ptr<Selection>()>;

std::unique_ptr<SelectedReader> open(std::uint64_t records, const MakeSelection& selection,
                                     bool seeks = true) {
  return std::make_unique<SelectedReader>(
      std::make_unique<VectorReader>(mixed_records(records), true, seeks), selection());
}

// What a run has of each record: position and row.
using Given = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

struct Pass {
  Given given;
  InputPosition end;
};

Pass whole_pass(std::uint64_t records, const MakeSelection& selection) {
  const auto reader = open(records, selection);
  Pass pass;
  while (const auto record = reader->next()) {
    pass.given.emplace_back(record->position, record->row);
  }
  pass.end = reader->position();
  return pass;
}

void check_position(const InputPosition& found, const InputPosition& expected) {
  CHECK(found.position == expected.position);
  CHECK(found.row == expected.row);
  CHECK(found.digest == expected.digest);
  CHECK(found.left_out == expected.left_out);
}

// Is killed at random moments; what was given after the last commit is lost and given again.
Pass killed_pass(std::uint64_t records, const MakeSelection& selection, bool seeks,
                 std::mt19937& random) {
  Pass pass;
  InputPosition committed;
  for (int session = 0;; ++session) {
    REQUIRE(session < 10000);
    const auto reader = open(records, selection, seeks);
    if (committed.position > 0 && !reader->seek(committed)) {
      REQUIRE_FALSE(seeks);
      CHECK(reader->read_to(committed.position) == committed.position);
    }
    check_position(reader->position(), committed);
    pass.given.resize(committed.row);
    for (std::uint64_t left = random() % (records / 4 + 2); left > 0; --left) {
      const auto record = reader->next();
      if (!record) {
        pass.end = reader->position();
        return pass;
      }
      pass.given.emplace_back(record->position, record->row);
      if (random() % 3 == 0) {
        committed = reader->position();
      }
    }
  }
}

}  // namespace

TEST_CASE("any selection gives the same rows and digest, however often it is killed") {
  const unsigned seed = GENERATE(range(0U, 60U));
  std::mt19937 random(seed);
  const std::uint64_t records = 1 + random() % 300;
  const std::uint64_t shards = 1 + random() % 5;
  const std::uint64_t shard = 1 + random() % shards;
  const std::vector<MakeSelection> selections{
      [] { return std::make_unique<AllRecords>(); },
      [&] { return std::make_unique<SomeRecords>(seed, seed % 11); },
      [&] { return std::make_unique<ShardBlocks>(shard, shards, 1 + seed % 9); }};
  const InputHash all = whole_pass(records, selections[0]).end.digest;
  for (const MakeSelection& selection : selections) {
    const Pass expected = whole_pass(records, selection);
    CHECK(expected.end.digest == all);
    CHECK(expected.end.position == records);
    CHECK(expected.end.row == expected.given.size());
    for (std::size_t i = 0; i < expected.given.size(); ++i) {
      REQUIRE(expected.given[i].second == i);
    }
    for (const bool seeks : {true, false}) {
      const Pass pass = killed_pass(records, selection, seeks, random);
      CHECK(pass.given == expected.given);
      check_position(pass.end, expected.end);
    }
  }
}

TEST_CASE("in a run of all records the row is the position") {
  const Pass pass = whole_pass(100, [] { return std::make_unique<AllRecords>(); });
  for (const auto& [position, row] : pass.given) {
    REQUIRE(position == row);
  }
  CHECK(pass.given.size() == 100);
}

TEST_CASE("the shards of an input are the whole of it, each record once") {
  const std::uint64_t shards = GENERATE(1U, 2U, 3U, 8U, 40U);
  const std::uint64_t records = GENERATE(1U, 63U, 64U, 65U, 128U, 1000U, 1601U);
  CAPTURE(shards, records);
  std::vector<std::uint64_t> times_given(records);
  std::optional<InputHash> digest;
  for (std::uint64_t shard = 1; shard <= shards; ++shard) {
    const auto make = [&] { return std::make_unique<ShardBlocks>(shard, shards); };
    const Pass pass = whole_pass(records, make);
    CHECK(make()->count_of(records) == pass.given.size());
    for (const auto& [position, row] : pass.given) {
      CHECK(position / 64 % shards == shard - 1);
      ++times_given[position];
    }
    CHECK(pass.end.digest == digest.value_or(pass.end.digest));
    CHECK(pass.end.left_out.total() == records);
    digest = pass.end.digest;
  }
  CHECK(times_given == std::vector<std::uint64_t>(records, 1));
}

TEST_CASE("a shard that is not of the number is refused") {
  CHECK_THROWS_AS(ShardBlocks(0, 3), Error);
  CHECK_THROWS_AS(ShardBlocks(4, 3), Error);
  CHECK_THROWS_AS(ShardBlocks(1, 1, 0), Error);
  CHECK_FALSE(ShardBlocks(1, 2).count_of(std::nullopt));
}

TEST_CASE("reading on gives nothing out, and counts what was wanted") {
  const auto reader = open(100, [] { return std::make_unique<ShardBlocks>(2, 2, 10); });
  CHECK(reader->read_to(35) == 35);
  CHECK(reader->position().row == 15);
  const auto record = reader->next();
  REQUIRE(record);
  CHECK(record->position == 35);
  CHECK(record->row == 15);
  CHECK(reader->read_to(20) == 36);  // it does not go back
  CHECK(reader->read_to(SelectedReader::kEnd) == 100);
  CHECK(reader->position().row == 50);
  CHECK_FALSE(reader->next());
}

TEST_CASE("the position behind a record is not that before the next one that is wanted") {
  const auto reader = open(30, [] { return std::make_unique<ShardBlocks>(1, 3, 10); });
  for (int i = 0; i < 10; ++i) {
    reader->next();
  }
  const InputPosition behind = reader->position();
  CHECK(behind.position == 10);
  CHECK_FALSE(reader->next());
  const InputPosition end = reader->position();
  CHECK(end.position == 30);
  CHECK(end.row == behind.row);
  // Both are good to continue from.
  for (const InputPosition& from : {behind, end}) {
    const auto again = open(30, [] { return std::make_unique<ShardBlocks>(1, 3, 10); });
    REQUIRE(again->seek(from));
    CHECK_FALSE(again->next());
    check_position(again->position(), end);
  }
}

TEST_CASE("a form that is handed in is kept") {
  const InputHash chain{.content = {}, .times = {}, .form = DigestForm::kChain};
  SelectedReader reader(std::make_unique<VectorReader>(mixed_records(9)),
                        std::make_unique<AllRecords>(), chain);
  InputDigest expected(chain);
  for (const Record& record : mixed_records(9)) {
    expected.add(record);
  }
  reader.read_to(SelectedReader::kEnd);
  CHECK(reader.position().digest == expected.value());
}
