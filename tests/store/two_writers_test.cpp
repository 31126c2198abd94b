// Two processes on one output, on a file system that does not honour locks: the one that another
// one came after ends at its next commit, having claimed nothing more.
#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "store/journal.hpp"
#include "store/merged_output.hpp"
#include "store/shard_driver.hpp"
#include "store/store_driver.hpp"
#include "store/verify.hpp"

using namespace longhaul;
using namespace longhaul::store;
using namespace longhaul::store::test;

namespace {

class Unlocked : public fakes::FaultFiles {
 public:
  std::unique_ptr<FileLock> lock(const std::string&, std::string_view,
                                 std::optional<int>) override {
    struct Anybody : FileLock {
      int keep_across_exec() override { return 0; }
    };
    return std::make_unique<Anybody>();
  }
};

Progress at(std::uint64_t start) {
  Progress progress;
  progress.window_start = start;
  progress.counters = nlohmann::json::object();
  return progress;
}

struct Writer {
  Writer(Files& files, const std::string& name)
      : directory(open_store(files, "out", {.holder = name, .adopt = {}})) {}
  void begin() { store = directory->begin(single_vector(2), {{"a", "run"}}); }
  void resume() { store = directory->resume(single_vector(2)); }
  // One record to a window.
  void row(std::uint64_t row) {
    const std::vector<float> numbers{1.0F, static_cast<float>(row)};
    store->place_window(row, std::vector<std::uint32_t>{3});
    CHECK(store->put(row, only(numbers)));
    RecordRow line;
    line.position = line.row = row;
    line.id = "r" + std::to_string(row);
    store->complete_window(std::vector<RecordRow>{line});
  }

  std::unique_ptr<StoreDirectory> directory;
  std::unique_ptr<EmbeddingStore> store;
};

template <typename Action>
void check_refused(Unlocked& files, const Action& action) {
  const std::string before = files.content("out/journal.jsonl");
  try {
    action();
    FAIL("it went on");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kUnavailable);
    CHECK(std::string(error.what()).find("journal.jsonl is not as this process left it") !=
          std::string::npos);
    CHECK(error.remedy().find("wait for the other one") != std::string::npos);
  }
  CHECK(files.content("out/journal.jsonl") == before);
}

// Two shards of 8 records.
DealtPlan two_shards() {
  DealtPlan plan;
  plan.records = 8;
  plan.deal = {2, 4};
  return plan;
}

// A merge of them, step by step.
struct Merger {
  Merger(Files& disk, std::string name) : files(disk), holder(std::move(name)) {
    for (std::uint64_t i = 1; i <= plan.deal.shards; ++i) {
      shards.emplace_back(files, shard_path("out", plan, i));
    }
    for (const OutputReader& shard : shards) {
      pointers.push_back(&shard);
    }
  }
  MergedOutput::Parts parts() const {
    return {plan.layout, plan.records, plan.deal, pointers, "", holder};
  }
  void begin() { output.emplace(files, "out", parts(), nlohmann::json{{"shards", 2}}); }
  void go_on() {
    const auto file = files.open("out/journal.jsonl", OpenMode::kRead);
    output.emplace(files, "out", parts(), read_journal(*file, "out/journal.jsonl").value());
  }
  void take(std::uint64_t shard) {
    output->take(shard, [](std::uint64_t) {});
  }
  void write_tables() {
    output->write_tables([](RecordRow&) { return MergedOutput::Vector::kOwn; }, [] {});
  }
  void finish() { output->finish({{"state", "complete"}}, {{"code", 3}}); }

  Files& files;
  std::string holder;
  DealtPlan plan = two_shards();
  std::vector<OutputReader> shards;
  std::vector<const OutputReader*> pointers;
  std::optional<MergedOutput> output;
};

}  // namespace

TEST_CASE("of two that merge the same shards the first ends, and claims nothing more") {
  Unlocked files;
  files.make_directory("out");
  write_shards(files, "out", two_shards());
  Merger first(files, "first");
  Merger second(files, "second");
  SECTION("one that goes on after the other") {
    first.begin();
    first.take(1);
    second.go_on();
    check_refused(files, [&] { first.take(2); });
  }
  SECTION("two that begin at once") {
    first.begin();
    second.begin();
    check_refused(files, [&] { first.take(1); });
    second.take(1);
  }
  SECTION("at the claim of the tables, and at the end") {
    first.begin();
    first.take(1);
    first.take(2);
    first.write_tables();
    second.go_on();
    check_refused(files, [&] { first.output->commit(at(8)); });
    check_refused(files, [&] { first.finish(); });
  }
  second.take(2);
  second.write_tables();
  second.output->commit(at(8));
  second.finish();
  CHECK(verify_store(files, "out").good());
}

TEST_CASE("of two that go on with one run the first ends, and claims nothing more") {
  Unlocked files;
  Writer first(files, "first");
  first.begin();
  first.row(0);
  first.store->commit(at(1));
  first.row(1);
  Writer second(files, "second");
  second.resume();
  SECTION("at a commit") {
    check_refused(files, [&] { first.store->commit(at(2)); });
    // And stays so: not even its report is written over the other's.
    CHECK_THROWS_AS(first.store->write_report({{"state", "failed"}}), Error);
    CHECK_FALSE(files.exists("out/run.json"));
  }
  SECTION("at a note") {
    check_refused(files, [&] { first.store->note({{"x", 1}}); });
  }
  SECTION("at its report") {
    check_refused(files, [&] { first.store->write_report({{"state", "running"}}); });
  }
  second.row(1);
  second.store->commit(at(2));
  second.store->finish(2, {{"state", "complete"}}, {{"code", 0}});
  CHECK(verify_store(files, "out").good());
}

TEST_CASE("of two that begin at once the first ends") {
  Unlocked files;
  Writer first(files, "first");
  Writer second(files, "second");
  first.begin();
  second.begin();  // it had looked before there was anything
  first.row(0);
  check_refused(files, [&] { first.store->commit(at(1)); });
  second.row(0);
  second.store->commit(at(1));
  second.store->finish(1, {{"state", "complete"}}, {{"code", 0}});
  CHECK(verify_store(files, "out").good());
}

TEST_CASE("an output that was begun anew under a run ends that run") {
  Unlocked files;
  Writer first(files, "first");
  first.begin();
  first.row(0);
  first.store->commit(at(1));
  {
    Writer second(files, "second");
    second.directory->clear();
  }
  first.row(1);
  try {
    first.store->commit(at(2));
    FAIL("it went on");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kUnavailable);
  }
}
