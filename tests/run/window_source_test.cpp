#include "run/window_source.hpp"

#include <catch2/catch.hpp>

#include "fakes/vector_reader.hpp"
#include "input/selected_reader.hpp"
#include "prepare/sequence_preprocessor.hpp"

using namespace longhaul;
using namespace longhaul::fakes;
using namespace longhaul::run;

namespace {

prepare::SequencePreprocessor small_preprocessor() {
  encode::Alphabet alphabet;
  alphabet.tokens = {"[PAD]", "A", "C", "D"};
  alphabet.allowed = "ACD";
  return prepare::SequencePreprocessor(alphabet, {});
}

}  // namespace

TEST_CASE("windows are consecutive records, in length order inside") {
  input::SelectedReader reader(std::make_unique<VectorReader>(generated_records(10, 40)),
                               std::make_unique<input::AllRecords>());
  const prepare::SequencePreprocessor preprocessor = small_preprocessor();
  WindowSource source(reader, preprocessor, {.records = 4, .order = {}}, 0);
  std::uint64_t expected = 0;
  std::vector<std::size_t> sizes;
  InputHash hash;
  while (const auto window = source.next()) {
    CHECK(window->index == sizes.size());
    CHECK(window->start.row == expected);
    CHECK(window->start.digest == hash);
    CHECK_FALSE(window->end.digest == hash);
    hash = window->end.digest;
    for (const prepare::Prepared& prepared : window->records) {
      CHECK(prepared.record.row == expected++);
    }
    CHECK(window->end.row == expected);
    for (std::size_t i = 1; i < window->order.size(); ++i) {
      CHECK(window->order[i - 1].width >= window->order[i].width);
    }
    sizes.push_back(window->records.size());
  }
  CHECK(sizes == std::vector<std::size_t>{4, 4, 2});
}

TEST_CASE("in input order no group is cut by a window's edge, whatever is rejected") {
  std::vector<Record> records = generated_records(50, 20);
  for (const std::size_t bad : {1UL, 2UL, 7UL, 20UL, 33UL}) {
    records[bad].payload = "BAD";
  }
  VectorReader reader(std::move(records));
  const prepare::SequencePreprocessor preprocessor = small_preprocessor();
  const WindowSettings settings{
      .records = 10,
      .order = {.order = Order::kInput, .group_rows = 8, .max_tokens = std::nullopt}};
  WindowSource source(reader, preprocessor, settings, 0);
  std::vector<std::size_t> accepted;
  while (const auto window = source.next()) {
    accepted.push_back(window->order.size());
  }
  // 45 accepted records: every window but the last holds whole groups of 8.
  REQUIRE(accepted.size() > 2);
  std::size_t total = 0;
  for (std::size_t i = 0; i < accepted.size(); ++i) {
    total += accepted[i];
    if (i + 1 < accepted.size()) {
      CHECK(accepted[i] % 8 == 0);
    }
  }
  CHECK(total == 45);
}

TEST_CASE("a window entered again at its start is the same window") {
  const auto open = [] {
    return input::SelectedReader(std::make_unique<VectorReader>(generated_records(100, 60)),
                                 std::make_unique<input::ShardBlocks>(2, 3, 4));
  };
  input::SelectedReader reader = open();
  const prepare::SequencePreprocessor preprocessor = small_preprocessor();
  WindowSource source(reader, preprocessor, {.records = 10, .order = {}}, 0);
  source.next();
  const auto second = source.next();
  input::SelectedReader again = open();
  again.seek(second->start);
  WindowSource resumed(again, preprocessor, {.records = 10, .order = {}}, second->index);
  const auto repeated = resumed.next();
  REQUIRE(repeated);
  CHECK(repeated->end.digest == second->end.digest);
  CHECK(repeated->end.position == second->end.position);
  CHECK(repeated->records.front().record.row == 10);
  CHECK(repeated->records.front().record.position == 30);
  REQUIRE(repeated->order.size() == second->order.size());
  for (std::size_t i = 0; i < second->order.size(); ++i) {
    CHECK(repeated->order[i].index == second->order[i].index);
    CHECK(repeated->order[i].width == second->order[i].width);
  }
}

TEST_CASE("the window that meets the end of the input knows how many records there are") {
  VectorReader reader(generated_records(50, 20));
  const prepare::SequencePreprocessor preprocessor = small_preprocessor();
  WindowSource source(reader, preprocessor, {.records = 32, .order = {}}, 0);
  CHECK_FALSE(source.next()->progress.records_total);
  CHECK(source.next()->progress.records_total == 50);
}

TEST_CASE("a window of rejected records alone has an empty order") {
  VectorReader reader({sequence_record(0, "BAD"), sequence_record(1, "")});
  const prepare::SequencePreprocessor preprocessor = small_preprocessor();
  WindowSource source(reader, preprocessor, {.records = 4, .order = {}}, 0);
  const auto window = source.next();
  REQUIRE(window);
  CHECK(window->records.size() == 2);
  CHECK(window->order.empty());
  CHECK_FALSE(source.next());
}

TEST_CASE("a window says what was left out up to its end, entered again or not") {
  VectorReader reader(generated_records(10, 40), true);
  const prepare::SequencePreprocessor preprocessor = small_preprocessor();
  WindowSource source(reader, preprocessor, {.records = 4, .order = {}}, 0);
  const auto first = source.next();
  const auto second = source.next();
  REQUIRE((first && second));
  CHECK(first->start.left_out.empty());
  CHECK(first->end.left_out.total() == 4);
  CHECK(second->end.left_out.total() == 8);
  VectorReader again(generated_records(10, 40), true);
  again.seek(second->start);
  WindowSource resumed(again, preprocessor, {.records = 4, .order = {}}, 1);
  CHECK(resumed.next()->end.left_out == second->end.left_out);
  CHECK(resumed.next()->end.left_out.total() == 10);
}
