// Shards of an input, each a session of its own: what each holds, what they agree about, what they
// refuse, and that kills change nothing.
#include "session/shard_mode.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <set>

#include "input/input_digest.hpp"
#include "session/scene.hpp"
#include "session/shard_choices.hpp"
#include "store/output_reader.hpp"
#include "store/shards.hpp"

using namespace longhaul;
using namespace longhaul::session;
using namespace longhaul::session::test;

namespace {

// Several blocks, the last one short, with bad records in two of them.
class ShardScene : public Scene {
 public:
  explicit ShardScene(std::uint64_t count = 3) : count_(count), whole_(config.output) {
    records = fakes::generated_records(64 * 7 + 11, 20);
    records[7].payload += "1";
    records[200].payload = "B2";
    config.window = 48;
  }

  // A session of one shard; content() and results() are its directory's then.
  SessionEnd run_shard(std::uint64_t index) {
    config.output = whole_;
    config.shard = {index, count_};
    const SessionEnd end = run();
    config.output = directory_of(index);
    return end;
  }
  Error shard_failure(std::uint64_t index) {
    config.output = whole_;
    config.shard = {index, count_};
    return failure();
  }
  std::string directory_of(std::uint64_t index) const {
    return store::shard_directory(whole_, {index, count_});
  }
  store::StoreState state_of(std::uint64_t index) {
    return store::read_store(files, directory_of(index)).value();
  }
  void back_to_whole() {
    config.output = whole_;
    config.shard.reset();
  }

  std::uint64_t count_;
  const std::string whole_;
};

}  // namespace

TEST_CASE("shards have their blocks, global rows, a plain run's bits and a proof", "[shard]") {
  ShardScene single;
  single.run();
  store::OutputReader plain(single.files, single.whole_);
  store::ArrayReader plain_rows = plain.array("embeddings");
  for (const std::uint64_t count : {1U, 3U, 8U, 20U}) {
    ShardScene scene(count);
    std::set<std::uint64_t> seen;
    input::InputDigest sum;
    std::optional<DigestedPart> whole;
    for (std::uint64_t index = 1; index <= count; ++index) {
      INFO("shard " << index << " of " << count);
      CHECK(scene.run_shard(index).code == ExitCode::kDone);  // rejects are no failure of a shard
      const store::StoreState state = scene.state_of(index);
      CHECK(run_begin_from_json(state.begin).shard == Shard{index, count});
      CHECK(state.finish->at("code") == 0);
      const ShardFinish finish = shard_finish_from_json(*state.finish);
      CHECK(whole.value_or(finish.whole) == finish.whole);
      whole = finish.whole;
      sum.add(finish.own.digest);
      store::OutputReader reader(scene.files, scene.directory_of(index));
      CHECK(reader.rows() == finish.own.records);
      store::ArrayReader rows = reader.array("embeddings");
      store::RecordCursor records = reader.records();
      RecordRow record;
      for (std::uint64_t row = 0; records.next(record); ++row) {
        CHECK(record.position / 64 % count + 1 == index);
        CHECK(seen.insert(record.position).second);
        const auto mine = rows.row(row);
        const std::vector<float> again(mine.begin(), mine.end());
        const auto its = plain_rows.row(record.position);
        CHECK(std::memcmp(again.data(), its.data(), again.size() * sizeof(float)) == 0);
      }
    }
    CHECK(seen.size() == scene.records.size());
    CHECK(whole->records == scene.records.size());
    CHECK(sum.value() == whole->digest);
    CHECK(whole->digest == plain.claims()->run.progress->input_hash);
  }
}

TEST_CASE("the first shard's choices are everybody's", "[shard]") {
  ShardScene scene;
  scene.run_shard(2);
  const ShardChoices choices = read_shard_choices(scene.files, scene.whole_).value();
  CHECK(choices.shards == 3);
  CHECK(choices.fingerprint == scene.state_of(2).begin.at("fingerprint"));
  CHECK(to_json(choices).at("encoder") == scene.state_of(2).begin.at("choices").at("encoder"));
  // A window is a choice too: another shard's command line does not change it.
  scene.config.window = 17;
  scene.run_shard(1);
  CHECK(scene.state_of(1).begin.at("choices").at("window") == 48);
  // A shard that has begun writes them again where they are gone.
  std::filesystem::remove(store::shards_directory(scene.whole_) + "/choices.json");
  scene.run_shard(3);
  CHECK(read_shard_choices(scene.files, scene.whole_));
}

TEST_CASE("shards with another setting, number or model are mismatches", "[shard]") {
  ShardScene scene;
  scene.run_shard(1);
  const std::string before = scene.content("journal.jsonl");
  scene.config.pooling = Pooling::kMax;
  for (const std::uint64_t index : {1U, 2U}) {  // one that is finished, one that is to begin
    const Error error = scene.shard_failure(index);
    CHECK(error.code() == ExitCode::kMismatch);
    CHECK(std::string(error.what()).find("pooling") != std::string::npos);
    CHECK(error.remedy().find("--overwrite") == std::string::npos);
  }
  scene.config.pooling.reset();
  scene.count_ = 4;
  CHECK(scene.shard_failure(2).code() == ExitCode::kMismatch);
  CHECK_FALSE(std::filesystem::exists(scene.directory_of(2)));
  scene.count_ = 3;
  scene.set_model({{"fake", true}, {"dimension", 5}});
  CHECK(scene.shard_failure(2).code() == ExitCode::kMismatch);
  scene.config.output = scene.directory_of(1);
  CHECK(scene.content("journal.jsonl") == before);
}

TEST_CASE("an output with shards and one without never mix", "[shard]") {
  ShardScene scene;
  scene.run_shard(1);
  scene.back_to_whole();
  const Error plain = scene.failure();
  CHECK(plain.code() == ExitCode::kMismatch);
  CHECK(std::string(plain.what()).find("holds shards") != std::string::npos);
  // A shard's own directory is no output to go on with.
  scene.config.output = scene.directory_of(1);
  CHECK(scene.failure().code() == ExitCode::kMismatch);
  // --overwrite of the whole takes the shards away.
  scene.back_to_whole();
  scene.config.overwrite = true;
  CHECK(scene.run().code == ExitCode::kRejected);
  CHECK_FALSE(std::filesystem::exists(scene.whole_ + "/shards"));
  scene.config.overwrite = false;
  const Error shard = scene.shard_failure(1);
  CHECK(shard.code() == ExitCode::kMismatch);
  CHECK(std::string(shard.what()).find("without --shard") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(scene.whole_ + "/shards"));
}

TEST_CASE("--overwrite with --shard begins that shard anew, and no other", "[shard]") {
  ShardScene scene;
  scene.run_shard(1);
  const std::vector<std::string> first = scene.results();
  scene.run_shard(2);
  const std::vector<std::string> second = scene.results();
  std::filesystem::resize_file(scene.directory_of(2) + "/embeddings.npy", 200);
  CHECK(scene.shard_failure(2).code() == ExitCode::kBadData);
  scene.config.overwrite = true;
  CHECK(scene.run_shard(2).code == ExitCode::kDone);
  CHECK(scene.results() == second);
  scene.config.output = scene.directory_of(1);
  CHECK(scene.results() == first);
}

TEST_CASE("a finished shard loads nothing, and knows its whole input", "[shard]") {
  ShardScene scene(20);
  for (const std::uint64_t index : {2U, 19U}) {  // the latter has no record
    scene.run_shard(index);
    scene.encoders = 0;
    CHECK(scene.run_shard(index).code == ExitCode::kDone);
    CHECK(scene.encoders == 0);
  }
  CHECK(scene.said("is complete: nothing to do"));
  CHECK(scene.state_of(19).finish->at("rows") == 0);
  // A record of another shard's is another now.
  scene.records[0].payload += "AAC";
  CHECK(scene.shard_failure(2).code() == ExitCode::kMismatch);
  CHECK(scene.shard_failure(19).code() == ExitCode::kMismatch);
}

TEST_CASE("a shard that is killed at any operation goes on to the same bytes", "[shard]") {
  std::vector<std::string> expected;
  store::StoreState state;
  {
    ShardScene scene;
    scene.run_shard(2);
    expected = scene.results();
    state = scene.state_of(2);
  }
  std::uint64_t kills = 0;
  for (std::uint64_t at = 1;; at += fakes::kEach) {
    ShardScene scene;
    const bool killed = scene.files.kills(at, [&] { scene.run_shard(2); });
    kills += killed ? 1U : 0U;
    INFO("killed at operation " << at);
    REQUIRE(scene.run_shard(2).code == ExitCode::kDone);
    REQUIRE(scene.results() == expected);
    REQUIRE(scene.state_of(2).finish->at("whole") == state.finish->at("whole"));
    REQUIRE(scene.state_of(2).finish->at("own") == state.finish->at("own"));
    const auto temporary = store::shards_directory(scene.whole_) + "/choices.2-of-3.tmp";
    REQUIRE_FALSE(std::filesystem::exists(temporary));
    if (!killed) {
      break;
    }
  }
  CHECK(kills > 50 / fakes::kEach);
}

TEST_CASE("limits: a number of rejects stops a shard, a share is merging's to say", "[shard]") {
  ShardScene scene;
  scene.config.max_rejects.percent = 0;
  CHECK(scene.run_shard(1).code == ExitCode::kDone);
  ShardScene strict;
  strict.config.strict = true;
  CHECK(strict.shard_failure(1).code() == ExitCode::kBadData);
  CHECK(strict.run_shard(2).code == ExitCode::kDone);
  ShardScene bad;
  for (Record& record : bad.records) {
    record.payload = "1";
  }
  CHECK(bad.run_shard(1).code == ExitCode::kDone);
}

TEST_CASE("what depends on a batch is not divided", "[shard]") {
  ShardScene scene;
  scene.config.order = Order::kInput;
  CHECK(scene.shard_failure(1).code() == ExitCode::kUsage);
  scene.config.pooling = Pooling::kMeanCompat;
  scene.config.batch_size = 8;
  const Error error = scene.shard_failure(1);
  CHECK(error.code() == ExitCode::kUsage);
  CHECK(std::string(error.what()).find("mean-compat") != std::string::npos);
  // Nothing was begun, so nothing is left.
  CHECK_FALSE(std::filesystem::exists(scene.whole_));
}

TEST_CASE("of shards that begin at once one makes the choices", "[shard]") {
  ShardScene scene;
  scene.run_shard(1);
  const ShardChoices first = read_shard_choices(scene.files, scene.whole_).value();
  // The second had seen no choices when it made its own.
  ShardChoices second = first;
  second.choices.encoder = {{"kernels", "others"}};
  const ShardChoices settled = settle_shard_choices(scene.files, scene.whole_, {2, 3}, second);
  CHECK(to_json(settled) == to_json(first));
  CHECK_FALSE(scene.said("others"));
}

TEST_CASE("damaged choices are named, and made again once they are removed", "[shard]") {
  ShardScene scene;
  scene.run_shard(1);
  const std::string path = store::shards_directory(scene.whole_) + "/choices.json";
  std::string text = read_text(scene.files, path);
  text.replace(text.find("\"shards\": 3"), 11, "\"shards\": 4");
  std::ofstream(path) << text;
  const Error error = scene.shard_failure(2);
  CHECK(error.code() == ExitCode::kBadData);
  CHECK(error.remedy().find("remove that file") != std::string::npos);
  std::filesystem::remove(path);
  CHECK(scene.run_shard(2).code == ExitCode::kDone);
}
