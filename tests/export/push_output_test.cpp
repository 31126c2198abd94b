#include "export/push_output.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "fakes/fault_files.hpp"
#include "store/checked_rows.hpp"
#include "store/store_driver.hpp"

using namespace longhaul;
using namespace longhaul::export_room;
using namespace longhaul::fakes;
using namespace longhaul::store::test;

namespace {

struct StoredRow {
  std::uint64_t number = 0;
  std::vector<float> vector;
  std::vector<std::string> texts;
};

// What a database holds, and what it was asked.
struct FakeDatabase {
  std::map<std::string, StoredRow> rows;
  std::optional<TableShape> made;
  std::vector<std::size_t> batches;
  std::size_t fails_at = SIZE_MAX;  // commit
  std::size_t looked_at = 0;        // rows, for others
  bool opened = false;
};

class FakeTable : public DatabaseTable {
 public:
  FakeTable(FakeDatabase& database, const DatabaseTarget& target)
      : database_(database), shape_(target.table) {
    database_.opened = true;
  }
  void check() override {}
  bool has_rows() const override { return !database_.rows.empty(); }
  void make() override { database_.made = shape_; }
  void add(const PushedRow& row) override {
    hand_.emplace_back(std::string(row.id), StoredRow{row.number,
                                                      {row.vector.begin(), row.vector.end()},
                                                      {row.texts.begin(), row.texts.end()}});
  }
  void refuse_others() override {
    database_.looked_at += hand_.size();
    for (const auto& [id, row] : hand_) {
      const auto there = database_.rows.find(id);
      if (there != database_.rows.end() && there->second.vector != row.vector) {
        throw Error(ExitCode::kMismatch, "another's");
      }
    }
    hand_.clear();
  }
  BatchOutcome commit() override {
    if (database_.batches.size() == database_.fails_at) {
      throw Error(ExitCode::kUnavailable, "lost");
    }
    database_.batches.push_back(hand_.size());
    BatchOutcome outcome;
    for (auto& [id, row] : hand_) {
      const bool there = database_.rows.contains(id);
      ++(there ? outcome.same : outcome.added);
      database_.rows[id] = std::move(row);
    }
    hand_.clear();
    return outcome;
  }
  bool make_index() override { return true; }
  std::string place() const override { return "a fake"; }

 private:
  FakeDatabase& database_;
  TableShape shape_;
  std::vector<std::pair<std::string, StoredRow>> hand_;
};

PushRequest to_embeddings(std::uint64_t batch_rows = 2) {
  return {.uri = "postgresql://",
          .table = "embeddings",
          .key = PushKey::kId,
          .layer = std::nullopt,
          .index = std::nullopt,
          .batch_rows = batch_rows};
}

PushSummary push(
    FaultFiles& files, FakeDatabase& database, const PushRequest& request,
    const std::function<bool()>& stop = [] { return false; }) {
  const store::OutputReader output = store::open_finished(files, "out");
  return push_output(
      output, request,
      {[&](const DatabaseTarget& target) { return std::make_unique<FakeTable>(database, target); },
       0, stop, [](std::uint64_t, std::uint64_t) {}});
}

}  // namespace

TEST_CASE("accepted rows are pushed in batches, others are counted") {
  FaultFiles files;
  drive(files, "out", {});
  FakeDatabase database;
  const PushSummary done = push(files, database, to_embeddings());
  CHECK(done.rows.added == database.rows.size());
  CHECK(done.rows.added + done.rejected + done.duplicates == 22);
  CHECK(done.rejected > 0);
  CHECK(done.batches == database.batches.size());
  CHECK(done.batches == (database.rows.size() + 1) / 2);
  CHECK(std::ranges::all_of(database.batches, [](std::size_t rows) { return rows <= 2; }));

  store::OutputReader output = store::open_finished(files, "out");
  store::CheckedRows rows(output);
  for (RecordRow record; rows.next(record);) {
    const bool ok = record.status == Status::kOk;
    REQUIRE(database.rows.contains(record.id) == ok);
    if (ok) {
      const StoredRow& stored = database.rows.at(record.id);
      CHECK(stored.number == record.position);
      CHECK(std::ranges::equal(stored.vector, rows.numbers(0)));
      CHECK(stored.texts == record.kept);
    }
  }
}

TEST_CASE("what was committed stays when the database is lost, and the same push goes on") {
  FaultFiles files;
  drive(files, "out", {});
  FakeDatabase database;
  database.fails_at = 1;
  CHECK_THROWS_AS(push(files, database, to_embeddings()), Error);
  CHECK(database.rows.size() == 2);
  database.fails_at = SIZE_MAX;
  const PushSummary done = push(files, database, to_embeddings());
  CHECK(done.rows.same == 2);
  CHECK(done.rows.added + 2 == database.rows.size());
}

TEST_CASE("a push that is asked to stop says what is there") {
  FaultFiles files;
  drive(files, "out", {});
  FakeDatabase database;
  int asked = 0;
  try {
    push(files, database, to_embeddings(1), [&] { return ++asked > 4; });
    FAIL("it did not stop");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kInterrupted);
    CHECK_THAT(error.what(), Catch::Contains(std::to_string(database.rows.size()) + " rows"));
  }
}

TEST_CASE("rows of another input are looked for before anything is sent, where keys may meet") {
  FaultFiles files;
  drive(files, "out", {});
  FakeDatabase database;
  push(files, database, to_embeddings());
  database.batches.clear();
  PushRequest request = to_embeddings();
  SECTION("an id that is given says whose row it is") {
    push(files, database, request);
    CHECK(database.looked_at == 0);
  }
  SECTION("a number does not") {
    request.key = PushKey::kRow;
    push(files, database, request);
    CHECK(database.looked_at == database.rows.size());
    database.batches.clear();
    std::prev(database.rows.end())->second.vector.front() += 1;
    CHECK_THROWS_AS(push(files, database, request), Error);
    CHECK(database.batches.empty());
  }
  CHECK(told_by_number("17", 17));
  CHECK_FALSE(told_by_number("17", 18));
  CHECK_FALSE(told_by_number("017", 17));
}

TEST_CASE("a stop is asked before the table is made") {
  FaultFiles files;
  drive(files, "out", {});
  FakeDatabase database;
  CHECK_THROWS_AS(push(files, database, to_embeddings(), [] { return true; }), Error);
  CHECK(database.opened);
  CHECK_FALSE(database.made);
}

TEST_CASE("what no table can hold is refused before the database is asked") {
  FaultFiles files;
  drive(files, "out", {});
  FakeDatabase database;
  PushRequest request = to_embeddings();
  SECTION("names of tables") {
    request.table = GENERATE(as<std::string>{}, "", ".", "a.", "a.b.c", std::string(64, 'x'));
  }
  SECTION("a layer that is not there") {
    request.layer = "nowhere";
  }
  CHECK_THROWS_AS(push(files, database, request), Error);
  CHECK_FALSE(database.opened);
}
