// Equal sequences are computed once: the same bytes as without, whatever was killed on the way.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "session/scene.hpp"
#include "store/output_reader.hpp"
#include "store/verify.hpp"

using namespace longhaul;
using namespace longhaul::session;
using namespace longhaul::session::test;

namespace {

constexpr std::uint64_t kRecords = 60;

// Twenty contents; each comes again in the same window and in a later one.
struct Repertoire : Scene {
  explicit Repertoire(const nlohmann::json& model = {{"fake", true}}) {
    use(model);
    const std::vector<Record> contents = fakes::generated_records(20, 60);
    records = fakes::generated_records(kRecords, 60);
    for (std::uint64_t i = 0; i < kRecords; ++i) {
      records[i].payload = contents[of(i)].payload;
    }
    // A content is what the residues are, however they are written.
    records[5].payload = " " + records[4].payload;
    for (char& c : records[5].payload) {
      c = static_cast<char>(std::tolower(c));
    }
    records[30].payload = "A1";
    config.skip_duplicates = SkipDuplicates::kExact;
  }
  // 0 0 1 1 ... 9 9, 0 1 2 ... 19, 0 1 ...
  static std::uint64_t of(std::uint64_t i) { return i < 20 ? i / 2 : i % 20; }

  std::vector<RecordRow> rows() {
    std::vector<RecordRow> all;
    store::RecordCursor cursor = store::OutputReader(files, config.output).records();
    for (RecordRow row; cursor.next(row);) {
      all.push_back(row);
    }
    return all;
  }
  std::uint64_t computed() const {
    return report().at("sessions").back().at("timings").at("records");
  }
};

std::vector<std::string> results_of(const nlohmann::json& model) {
  Repertoire scene(model);
  REQUIRE(scene.run().code == ExitCode::kRejected);
  return scene.results();
}

}  // namespace

TEST_CASE("equal sequences are computed once, and each has the vector", "[session]") {
  const auto model =
      GENERATE(nlohmann::json{{"fake", true}}, nlohmann::json{{"fake", true}, {"part_tokens", 64}},
               three_outputs(), short_windows());
  CAPTURE(model.dump());
  Repertoire all(model);
  all.config.skip_duplicates = SkipDuplicates::kOff;
  REQUIRE(all.run().code == ExitCode::kRejected);
  Repertoire once(model);
  REQUIRE(once.run().code == ExitCode::kRejected);
  for (const char* name : {"embeddings.npy", "rejects.csv", "checksums.npy", "embeddings.early.npy",
                           "tokens.npy", "token_offsets.npy"}) {
    CHECK(once.content(name) == all.content(name));
  }
  const std::vector<RecordRow> rows = once.rows();
  REQUIRE(rows.size() == kRecords);
  std::map<std::uint64_t, std::uint64_t> firsts;
  for (std::uint64_t i = 0; i < kRecords; ++i) {
    CAPTURE(i);
    if (i == 30) {
      CHECK(rows[i].status == Status::kRejected);
      continue;
    }
    const auto [first, is_first] = firsts.emplace(Repertoire::of(i), i);
    CHECK(rows[i].status == (is_first ? Status::kOk : Status::kDuplicate));
    CHECK(rows[i].duplicate_of == (is_first ? std::nullopt : std::optional(first->second)));
  }
  const nlohmann::json counts = once.report().at("counts");
  CHECK(counts.at("ok") == firsts.size());
  CHECK(counts.at("duplicates") == kRecords - 1 - firsts.size());
  if (!model.contains("max_tokens")) {  // there records are counted by their windows
    CHECK(once.computed() == firsts.size());
    CHECK(all.computed() == kRecords - 1);
  }
  CHECK(store::verify_store(once.files, once.config.output).good());
}

TEST_CASE("a run that skips duplicates goes on after a kill at any operation", "[session]") {
  const nlohmann::json model = GENERATE(nlohmann::json{{"fake", true}}, short_windows());
  const std::vector<std::string> expected = results_of(model);
  std::uint64_t kills = 0;
  for (std::uint64_t at = 1;; at += fakes::kEach) {
    Repertoire scene(model);
    const bool killed = scene.files.kills(at, [&] { scene.run(); });
    kills += killed ? 1U : 0U;
    REQUIRE(killed == scene.files.fired());
    INFO("killed at operation " << at);
    REQUIRE(scene.run().code == ExitCode::kRejected);
    REQUIRE(scene.results() == expected);
    if (!killed) {
      break;
    }
  }
  CHECK(kills > 50 / fakes::kEach);
}

TEST_CASE("what repeats a record without a vector is rejected as that one was", "[session]") {
  // Each session sees some vectors that are not finite, whatever they are of.
  Repertoire scene(nlohmann::json{{"fake", true}, {"nan_every", 4}});
  REQUIRE(scene.run().code == ExitCode::kRejected);
  const std::vector<RecordRow> rows = scene.rows();
  std::set<std::string> without;
  std::uint64_t repeats = 0;
  for (const RecordRow& row : rows) {
    if (row.row == 30) {
      continue;
    }
    if (row.status == Status::kRejected) {
      repeats += without.insert(to_hex(row.hash)).second ? 0U : 1U;
      continue;
    }
    CHECK_FALSE(without.contains(to_hex(row.hash)));
    CHECK((row.status == Status::kOk || rows[*row.duplicate_of].status == Status::kOk));
  }
  CHECK(without.size() > 1);
  CHECK(repeats >= without.size());
  store::RejectCursor rejects = store::OutputReader(scene.files, scene.config.output).rejects();
  std::uint64_t not_finite = 0;
  for (RecordRow row; rejects.next(row);) {
    not_finite += row.defect->reason == Reason::kNotFinite ? 1U : 0U;
  }
  CHECK(not_finite == without.size() + repeats);
  CHECK(scene.report().at("counts").at("rejected") == not_finite + 1);
  CHECK(store::verify_store(scene.files, scene.config.output).good());
}

TEST_CASE("what earlier sessions rejected is known to the next", "[session]") {
  const nlohmann::json model{{"fake", true}, {"huge_every", 3}};
  const auto settings = [](Repertoire& scene) { scene.config.output_dtype = OutputDtype::kFp16; };
  Repertoire whole(model);
  settings(whole);
  REQUIRE(whole.run().code == ExitCode::kRejected);
  Repertoire stopped(model);
  settings(stopped);
  std::uint64_t sessions = 0;
  for (stopped.stop_at_look = 2; stopped.run().code != ExitCode::kRejected; ++sessions) {
    REQUIRE(sessions < 100);
  }
  CHECK(sessions > 1);
  const std::vector<RecordRow> rows = stopped.rows();
  std::map<std::string, Status> seen;
  for (const RecordRow& row : rows) {
    const bool has = row.status != Status::kRejected;
    const auto [first, is_first] = seen.emplace(to_hex(row.hash), row.status);
    CAPTURE(row.row);
    CHECK((is_first || (first->second != Status::kRejected) == has));
  }
}

TEST_CASE("rows of an older output serve those that come again as well", "[session]") {
  Repertoire scene;
  scene.records.resize(25);
  REQUIRE(scene.run().code == ExitCode::kDone);
  const std::string old = scene.directory + "/old";
  std::filesystem::rename(scene.config.output, old);
  Repertoire next;
  next.config.reuse = {old};
  REQUIRE(next.run().code == ExitCode::kRejected);
  CHECK(next.results() == results_of({{"fake", true}}));
  // The older output has ten of the twenty contents.
  CHECK(next.report().at("counts").at("reuse").at("reused") == 10);
  CHECK(next.computed() == 10);
}

TEST_CASE("what skipping duplicates of sequences cannot be is a usage error", "[session]") {
  Repertoire scene;
  scene.config.skip_duplicates = SkipDuplicates::kDhash;
  CHECK(scene.failure().code() == ExitCode::kUsage);
  scene.config.shard = {1, 2};
  CHECK(scene.failure().code() == ExitCode::kUsage);
  scene.config.shard.reset();
  scene.config.skip_duplicates = SkipDuplicates::kExact;
  scene.config.order = Order::kInput;
  CHECK(scene.failure().code() == ExitCode::kUsage);
}
