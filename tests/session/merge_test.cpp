// Shards that sessions made, merged: the single run's bytes, whatever was killed on the way; and
// what is refused, with its code.
#include "session/merge.hpp"

#include <catch2/catch.hpp>
#include <functional>

#include "session/duplicate_judge.hpp"
#include "session/scene.hpp"
#include "store/shards.hpp"
#include "store/verify.hpp"

using namespace longhaul;
using namespace longhaul::session;
using namespace longhaul::session::test;

namespace {

class MergeScene : public Scene {
 public:
  explicit MergeScene(std::uint64_t count = 3) : count_(count), whole_(config.output) {
    records = fakes::generated_records(64 * 5 + 11, 20);
    records[7].payload += "1";
    records[200].payload = "B2";
    records[100].id = records[20].id;
    config.window = 48;
    config.commit_every = std::chrono::hours(1);
  }

  void embed_shards() {
    for (std::uint64_t index = 1; index <= count_; ++index) {
      config.shard = {index, count_};
      REQUIRE(run().code == ExitCode::kDone);
    }
    config.shard.reset();
  }
  ExitCode merge(bool remove = false, std::optional<config::RejectLimit> limit = std::nullopt) {
    return merge_shards({whole_, remove, limit},
                        {.files = files,
                         .log = log,
                         .lock_holder = "test",
                         .versions = {{"longhaul", "test"}},
                         .session = {{"start", "then"}},
                         .utc_now = [] { return std::string("now"); },
                         .stop = [this] { return stop_merge && ++looks > *stop_merge; },
                         .progress = {}});
  }
  Error merge_failure(std::optional<config::RejectLimit> limit = std::nullopt) {
    try {
      merge(false, limit);
    } catch (const Error& error) {
      return error;
    }
    return {ExitCode::kInternal, "it merged"};
  }
  std::string shard(std::uint64_t index) const {
    return store::shard_directory(whole_, {index, count_});
  }

  std::uint64_t count_;
  const std::string whole_;
  std::optional<std::uint64_t> stop_merge;
  std::uint64_t looks = 0;
};

std::vector<std::string> single_run() {
  MergeScene scene;
  REQUIRE(scene.run().code == ExitCode::kRejected);
  return scene.results();
}

}  // namespace

TEST_CASE("merged shards are a single run's bytes, counts and code", "[merge]") {
  MergeScene single;
  single.run();
  for (const std::uint64_t count : {1U, 3U, 8U, 20U}) {
    MergeScene scene(count);
    scene.embed_shards();
    CHECK(scene.merge() == ExitCode::kRejected);
    CHECK(scene.results() == single.results());
    CHECK(scene.report().at("counts") == single.report().at("counts"));
    CHECK(scene.report().at("bits") == "exact");
    CHECK(scene.report().at("sessions").size() == count);
    CHECK(store::verify_store(scene.files, scene.whole_).good());
    const std::string report = scene.content("run.json");
    CHECK(scene.merge() == ExitCode::kRejected);  // nothing to do
    CHECK(scene.content("run.json") == report);
  }
}

TEST_CASE("a merge that is killed at any operation goes on to the same bytes", "[merge]") {
  const bool remove = GENERATE(false, true);
  const std::vector<std::string> expected = single_run();
  std::uint64_t kills = 0;
  MergeScene scene;
  scene.embed_shards();
  // One output and many kills: each start goes on from what the one before left.
  for (std::uint64_t at = 1;; ++at) {
    scene.files.kill_at(at);
    try {
      const ExitCode code = scene.merge(remove);
      CHECK(code == ExitCode::kRejected);
      break;
    } catch (const Killed&) {
      ++kills;
    }
  }
  scene.files.kill_at(UINT64_MAX);
  CHECK(kills > 5);
  CHECK(scene.merge(remove) == ExitCode::kRejected);
  CHECK(scene.results() == expected);
  CHECK(std::filesystem::exists(scene.whole_ + "/shards") != remove);
  CHECK(store::verify_store(scene.files, scene.whole_).good());
}

TEST_CASE("a merge that is killed once, anywhere, goes on to the same bytes", "[merge]") {
  const bool remove = GENERATE(false, true);
  const std::vector<std::string> expected = single_run();
  std::uint64_t kills = 0;
  bool killed = true;
  for (std::uint64_t at = 1; killed; at += fakes::kEach) {
    MergeScene scene(2);
    scene.embed_shards();
    killed = scene.files.kills(at, [&] { scene.merge(remove); });
    kills += killed ? 1U : 0U;
    INFO("killed at operation " << at);
    REQUIRE(scene.merge(remove) == ExitCode::kRejected);
    REQUIRE(scene.results() == expected);
  }
  CHECK(kills > 30 / fakes::kEach);
}

TEST_CASE("a merge that is asked to stop goes on where it was", "[merge]") {
  const std::vector<std::string> expected = single_run();
  MergeScene scene;
  scene.embed_shards();
  std::uint64_t stops = 0;
  for (std::uint64_t look = 1;; look += 2) {
    scene.stop_merge = look;
    scene.looks = 0;
    try {
      scene.merge(true);
      break;
    } catch (const Error& error) {
      REQUIRE(error.code() == ExitCode::kInterrupted);
      ++stops;
    }
  }
  CHECK(stops > 3);
  CHECK(scene.results() == expected);
}

TEST_CASE("limits of rejects are judged over all shards", "[merge]") {
  MergeScene scene;
  scene.embed_shards();
  const std::string before = scene.content("../out/shards/1-of-3/journal.jsonl");
  const Error error = scene.merge_failure(config::RejectLimit{1, {}});
  CHECK(error.code() == ExitCode::kBadData);
  CHECK(std::string(error.what()).find("2 of 331 records rejected, more than the limit of 1") == 0);
  CHECK_FALSE(std::filesystem::exists(scene.whole_ + "/journal.jsonl"));
  CHECK(scene.merge_failure(config::RejectLimit{{}, 0.5}).code() == ExitCode::kBadData);
  CHECK(scene.merge(false, config::RejectLimit{2, {}}) == ExitCode::kDone);
  CHECK(scene.merge() == ExitCode::kDone);  // as it was recorded
}

TEST_CASE("a merge holds the output and its shards", "[merge]") {
  MergeScene scene;
  scene.embed_shards();
  {
    const auto lock = scene.files.lock(scene.whole_ + "/longhaul.lock", "somebody", std::nullopt);
    CHECK(scene.merge_failure().code() == ExitCode::kUnavailable);
  }
  {
    const auto lock = scene.files.lock(scene.shard(2) + "/longhaul.lock", "somebody", std::nullopt);
    const Error error = scene.merge_failure();
    CHECK(error.code() == ExitCode::kInterrupted);
    CHECK(std::string(error.what()).find("2 is being embedded by somebody") != std::string::npos);
  }
  CHECK(scene.merge() == ExitCode::kRejected);
}

TEST_CASE("a shard that is embedded anew while a merge waits is merged anew", "[merge]") {
  const std::vector<std::string> expected = single_run();
  MergeScene scene;
  scene.embed_shards();
  const std::string path = scene.shard(3) + "/embeddings.npy";
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(300);
  file.put('\x55');
  file.close();
  const Error error = scene.merge_failure();
  CHECK(error.code() == ExitCode::kBadData);
  CHECK(std::string(error.what()).find("3-of-3/embeddings.npy row ") != std::string::npos);
  std::filesystem::remove_all(scene.shard(3));
  std::filesystem::remove(scene.whole_ + "/journal.jsonl");
  for (const char* name :
       {"embeddings.npy.partial", "checksums.npy", "records.csv", "rejects.csv"}) {
    std::filesystem::remove(scene.whole_ + "/" + name);
  }
  scene.config.shard = {3, 3};
  CHECK(scene.run().code == ExitCode::kDone);
  CHECK(scene.merge() == ExitCode::kRejected);
  CHECK(scene.results() == expected);
}

TEST_CASE("duplicates are judged in order, and none loses its vector", "[merge]") {
  using Vector = store::MergedOutput::Vector;
  DuplicateJudge judge(SkipDuplicates::kExact, {});
  const auto row = [](std::uint64_t position, std::uint64_t content, Status status) {
    RecordRow record;
    record.position = position;
    record.hash = {content, content};
    record.status = status;
    if (status == Status::kRejected) {
      record.defect = Defect{Reason::kNotFinite, ""};
    }
    return record;
  };
  RecordRow first = row(0, 1, Status::kOk);
  CHECK(judge.judge(first) == Vector::kOwn);
  RecordRow again = row(5, 1, Status::kOk);
  CHECK(judge.judge(again) == Vector::kOriginals);
  CHECK(again.duplicate_of == 0);
  RecordRow bad = row(6, 2, Status::kRejected);
  CHECK(judge.judge(bad) == Vector::kOwn);
  RecordRow bad_again = row(7, 2, Status::kRejected);
  CHECK(judge.judge(bad_again) == Vector::kOwn);
  CHECK(bad_again.status == Status::kRejected);
  CHECK(bad_again.defect);
  RecordRow has_one = row(8, 2, Status::kOk);
  CHECK(judge.judge(has_one) == Vector::kOwn);
  CHECK(has_one.status == Status::kOk);
  RecordRow has_one_too = row(9, 2, Status::kOk);
  CHECK(judge.judge(has_one_too) == Vector::kOriginals);
  CHECK(has_one_too.duplicate_of == 8);
}

TEST_CASE("merged shards of sequences that repeat are a single run's bytes", "[merge]") {
  const auto use = [](MergeScene& scene) {
    for (std::size_t i = 90; i < scene.records.size(); ++i) {
      scene.records[i].payload = scene.records[i % 90].payload;
    }
    scene.config.skip_duplicates = SkipDuplicates::kExact;
  };
  MergeScene single;
  use(single);
  REQUIRE(single.run().code == ExitCode::kRejected);
  REQUIRE(single.report().at("counts").at("duplicates") > 200);
  MergeScene scene;
  use(scene);
  scene.embed_shards();
  CHECK(scene.merge() == ExitCode::kRejected);
  CHECK(scene.results() == single.results());
  CHECK(scene.report().at("counts") == single.report().at("counts"));
}
