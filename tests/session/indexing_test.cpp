// An index of an input, and shards that go by it: the same bytes, only their own stretches read,
// and every other index, input and way of dividing refused.
#include "session/indexing.hpp"

#include <catch2/catch.hpp>

#include "session/merge.hpp"
#include "session/scene.hpp"
#include "session/shard_choices.hpp"
#include "session/shard_index.hpp"
#include "store/embedding_store.hpp"
#include "store/shards.hpp"

using namespace longhaul;
using namespace longhaul::session;
using namespace longhaul::session::test;

namespace {

constexpr std::uint64_t kStretch = 32;

class IndexScene : public Scene {
 public:
  explicit IndexScene(std::uint64_t count = 3) : count_(count), whole_(config.output) {
    records = fakes::generated_records(kStretch * 7 + 11, 20);
    records[7].payload += "1";
    records[200].payload = "B2";
    config.window = 48;
  }

  input::InputIndex index() {
    config.output = whole_;
    const Workshop workshop{
        .models = fakes::fake_models(),
        .make_reader = [this](const auto&, const auto&, const auto&,
                              Log*) { return std::make_unique<SceneReader>(records); },
        .make_preprocessor = {}};
    return index_input(config, {},
                       {.files = files,
                        .log = log,
                        .workshop = workshop,
                        .lock_holder = "test",
                        .stop = [this] { return stop_indexing; },
                        .progress = {}},
                       kStretch);
  }
  Error index_failure() {
    try {
      index();
    } catch (const Error& error) {
      return error;
    }
    return {ExitCode::kDone, "it was indexed"};
  }
  SessionEnd run_shard(std::uint64_t number) {
    config.output = whole_;
    config.shard = {number, count_};
    const SessionEnd end = run();
    config.output = store::shard_directory(whole_, {number, count_});
    return end;
  }
  Error shard_failure(std::uint64_t number) {
    config.output = whole_;
    config.shard = {number, count_};
    return failure();
  }
  void run_all() {
    for (std::uint64_t number = 1; number <= count_; ++number) {
      REQUIRE(run_shard(number).code == ExitCode::kDone);
    }
  }
  ExitCode merge() {
    config.output = whole_;
    config.shard.reset();
    MergeRequest request;
    request.output = whole_;
    return merge_shards(request, {.files = files,
                                  .log = log,
                                  .lock_holder = "test",
                                  .versions = {{"longhaul", "test"}},
                                  .session = {{"start", "then"}},
                                  .utc_now = [] { return std::string("now"); },
                                  .stop = {},
                                  .progress = {}});
  }
  Error merge_failure() {
    try {
      merge();
    } catch (const Error& error) {
      return error;
    }
    return {ExitCode::kDone, "it was merged"};
  }
  std::string path() const { return index_path(whole_); }
  nlohmann::json begin_of(std::uint64_t number) {
    return store::read_store(files, store::shard_directory(whole_, {number, count_}))->begin;
  }

  std::uint64_t count_;
  const std::string whole_;
  bool stop_indexing = false;
};

bool says(const Error& error, const std::string& what) {
  return std::string(error.what()).find(what) != std::string::npos;
}

std::vector<std::string> single_results() {
  IndexScene single;
  CHECK(single.run().code == ExitCode::kRejected);
  return single.results();
}

}  // namespace

TEST_CASE("shards by an index merge to a single run's bytes", "[index]") {
  const std::vector<std::string> expected = single_results();
  for (const std::uint64_t count : {1U, 3U, 8U, 20U}) {
    INFO(count << " shards");
    IndexScene scene(count);
    const input::InputIndex index = scene.index();
    CHECK(index.stretches.size() == 8);
    scene.run_all();
    CHECK(index_identity_from_json(scene.begin_of(count).at("index")) == identity_of(index));
    const ShardChoices choices = read_shard_choices(scene.files, scene.whole_).value();
    CHECK(choices.index == identity_of(index));
    CHECK(to_json(choices).at("choices") == 2);  // a program that knows no index refuses it
    CHECK(scene.merge() == ExitCode::kRejected);
    CHECK(scene.results() == expected);
    // After that every command of the run has nothing to do.
    CHECK(scene.index().records() == scene.records.size());
    scene.encoders = 0;
    CHECK(scene.run_shard(1).code == ExitCode::kRejected);
    CHECK(scene.encoders == 0);
  }
}

TEST_CASE("a finished shard by an index has nothing to do, and knows its input", "[index]") {
  IndexScene scene;
  scene.index();
  scene.run_shard(2);
  scene.encoders = 0;
  CHECK(scene.run_shard(2).code == ExitCode::kDone);
  CHECK(scene.encoders == 0);
  scene.records[40].payload += "AAC";
  CHECK(scene.shard_failure(2).code() == ExitCode::kMismatch);
}

TEST_CASE("a shard by an index that is killed at any operation goes on to the same bytes",
          "[index]") {
  std::vector<std::string> expected;
  nlohmann::json finish;
  const auto finish_of = [](IndexScene& scene) {
    return *store::read_store(scene.files, scene.config.output)->finish;
  };
  {
    IndexScene scene;
    scene.index();
    scene.run_shard(2);
    expected = scene.results();
    finish = finish_of(scene);
  }
  std::uint64_t kills = 0;
  for (std::uint64_t at = 1;; at += fakes::kEach) {
    IndexScene scene;
    scene.index();
    const bool killed = scene.files.kills(at, [&] { scene.run_shard(2); });
    kills += killed ? 1U : 0U;
    INFO("killed at operation " << at);
    REQUIRE(scene.run_shard(2).code == ExitCode::kDone);
    REQUIRE(scene.results() == expected);
    REQUIRE(finish_of(scene).at("whole") == finish.at("whole"));
    REQUIRE(finish_of(scene).at("own") == finish.at("own"));
    if (!killed) {
      break;
    }
  }
  CHECK(kills > 40 / fakes::kEach);
}

TEST_CASE("indexing that is killed at any operation is done by the next start", "[index]") {
  std::string expected;
  {
    IndexScene scene;
    scene.index();
    expected = scene.content("index.jsonl");
  }
  std::uint64_t kills = 0;
  for (std::uint64_t at = 1;; at += fakes::kEach) {
    IndexScene scene;
    const bool killed = scene.files.kills(at, [&] { scene.index(); });
    kills += killed ? 1U : 0U;
    INFO("killed at operation " << at);
    // There is a whole index or none.
    if (scene.files.exists(scene.path())) {
      REQUIRE(scene.content("index.jsonl") == expected);
    }
    scene.index();
    REQUIRE(scene.content("index.jsonl") == expected);
    REQUIRE(scene.files.list(scene.whole_) == std::vector<std::string>{"index.jsonl"});
    if (!killed) {
      break;
    }
  }
  CHECK(kills > 3 / fakes::kEach);
}

TEST_CASE("indexing that is stopped leaves nothing, and does not touch what is there", "[index]") {
  IndexScene scene;
  scene.stop_indexing = true;
  CHECK(scene.index_failure().code() == ExitCode::kInterrupted);
  CHECK_FALSE(scene.files.exists(scene.whole_));
  scene.stop_indexing = false;
  scene.index();
  const std::string before = scene.content("index.jsonl");
  scene.stop_indexing = true;
  scene.config.overwrite = true;
  CHECK(scene.index_failure().code() == ExitCode::kInterrupted);
  CHECK(scene.content("index.jsonl") == before);
}

TEST_CASE("with an index and without do not mix", "[index]") {
  IndexScene first;  // without
  first.run_shard(1);
  CHECK(first.index_failure().code() == ExitCode::kMismatch);
  IndexScene other;
  other.index();
  std::filesystem::copy_file(other.path(), first.path());
  for (const std::uint64_t number : {1U, 2U}) {
    const Error error = first.shard_failure(number);
    CHECK(error.code() == ExitCode::kMismatch);
    CHECK(says(error, "begun without an index"));
  }
  std::filesystem::remove(first.path());  // as the remedy says
  CHECK(first.run_shard(2).code == ExitCode::kDone);

  IndexScene second;  // with
  second.index();
  second.run_shard(1);
  const std::string index = second.path();
  std::filesystem::rename(index, index + ".away");
  for (const std::uint64_t number : {1U, 2U}) {
    const Error error = second.shard_failure(number);
    CHECK(error.code() == ExitCode::kMismatch);
    CHECK(says(error, "which is missing"));
  }
  std::filesystem::remove(index + ".away");
  second.config.shard.reset();
  second.index();  // as the remedy says
  CHECK(second.run_shard(2).code == ExitCode::kDone);

  // A shard that was embedded otherwise is not merged.
  std::filesystem::remove_all(second.whole_ + "/shards/3-of-3");
  first.run_shard(3);
  std::filesystem::copy(first.whole_ + "/shards/3-of-3", second.whole_ + "/shards/3-of-3",
                        std::filesystem::copy_options::recursive);
  const Error mixed = second.merge_failure();
  CHECK(mixed.code() == ExitCode::kMismatch);
  CHECK(says(mixed, "without an index"));
}

TEST_CASE("where choices are lost, shards that were begun say whether they go by an index",
          "[index]") {
  IndexScene scene;
  scene.index();
  scene.run_shard(1);
  std::filesystem::remove(store::shards_directory(scene.whole_) + "/choices.json");
  scene.config.shard.reset();
  scene.index();  // nothing to do
  std::filesystem::remove(scene.path());
  const Error missing = scene.shard_failure(2);
  CHECK(missing.code() == ExitCode::kMismatch);
  CHECK(says(missing, "which is missing"));
  CHECK_FALSE(read_shard_choices(scene.files, scene.whole_));
  scene.config.shard.reset();
  scene.index();  // as the remedy says
  CHECK(scene.run_shard(2).code == ExitCode::kDone);
  CHECK(read_shard_choices(scene.files, scene.whole_)->index);

  std::filesystem::remove(store::shards_directory(scene.whole_) + "/choices.json");
  const std::string journal = store::shard_directory(scene.whole_, {1, 3}) + "/journal.jsonl";
  std::string damaged = read_text(scene.files, journal);
  damaged[100] ^= 1;
  std::ofstream(journal) << damaged;
  CHECK(scene.run_shard(3).code == ExitCode::kDone);
  CHECK(read_shard_choices(scene.files, scene.whole_)->index);

  IndexScene without;
  without.run_shard(1);
  std::filesystem::remove(store::shards_directory(without.whole_) + "/choices.json");
  CHECK(says(without.index_failure(), "without an index"));
  std::filesystem::copy_file(scene.path(), without.path());
  CHECK(says(without.shard_failure(2), "begun without an index"));
}

TEST_CASE("an index of another input or of other settings is refused by name", "[index]") {
  IndexScene scene;
  scene.index();
  scene.config.skip_lines = 2;
  CHECK(says(scene.shard_failure(1), "was made with skip-lines 0, this run has 2"));
  CHECK(says(scene.index_failure(), "was made with skip-lines 0, this run has 2"));
  scene.config.skip_lines = 0;
  const std::vector<Record> before = scene.records;
  scene.records[3].payload += "AC";
  const Error size = scene.shard_failure(1);
  CHECK(size.code() == ExitCode::kMismatch);
  CHECK(says(size, "bytes, and had"));
  CHECK(says(scene.index_failure(), "bytes, and had"));
  scene.records = before;
  std::swap(scene.records[3].payload, scene.records[4].payload);  // of one size
  const Error content = scene.shard_failure(1);
  CHECK(content.code() == ExitCode::kMismatch);
  CHECK(says(content, "the records 0 to 31 are others"));
  // --overwrite indexes it anew, while no shard goes by the old one.
  scene.config.shard.reset();
  std::filesystem::remove_all(scene.whole_ + "/shards");
  scene.config.overwrite = true;
  scene.index();
  scene.config.overwrite = false;
  CHECK(scene.run_shard(1).code == ExitCode::kDone);
  scene.records = before;
  scene.config.overwrite = true;
  const Error begun = scene.index_failure();
  CHECK(begun.code() == ExitCode::kMismatch);
  CHECK(says(begun, "go by the index of another input"));
  CHECK_FALSE(scene.files.exists(scene.path() + ".tmp"));
}

TEST_CASE("a damaged index is named, and made again with --overwrite", "[index]") {
  IndexScene scene;
  scene.index();
  scene.run_shard(1);
  std::string text = scene.files.exists(scene.path()) ? read_text(scene.files, scene.path()) : "";
  text[text.size() / 2] ^= 1;
  std::ofstream(scene.path()) << text;
  const Error error = scene.shard_failure(2);
  CHECK(error.code() == ExitCode::kBadData);
  CHECK(error.remedy().find("--overwrite") != std::string::npos);
  CHECK(scene.index_failure().code() == ExitCode::kBadData);
  scene.config.shard.reset();
  scene.config.overwrite = true;
  scene.index();
  scene.config.overwrite = false;
  CHECK(scene.run_shard(2).code == ExitCode::kDone);
}

TEST_CASE("an index makes an output begun, not foreign", "[index]") {
  const std::vector<std::string> expected = single_results();
  IndexScene scene;
  scene.index();
  scene.config.shard.reset();
  CHECK(scene.run().code == ExitCode::kRejected);  // of one process, which needs no index
  CHECK(scene.results() == expected);
  IndexScene foreign;
  std::filesystem::create_directory(foreign.whole_);
  std::ofstream(foreign.path()) << "an index of something else\n";
  CHECK(foreign.failure().code() == ExitCode::kMismatch);
  CHECK(foreign.shard_failure(1).code() == ExitCode::kMismatch);
  CHECK(foreign.index_failure().code() == ExitCode::kMismatch);
}
