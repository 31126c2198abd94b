#include "store/merged_output.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "fakes/fault_files.hpp"
#include "fakes/sanitized.hpp"
#include "store/shard_driver.hpp"
#include "store/store_directory.hpp"
#include "store/verify.hpp"

using namespace longhaul;
using namespace longhaul::store::test;
using namespace longhaul::store;
using namespace longhaul::fakes;

namespace {

constexpr const char* kOut = "out";

std::map<std::string, std::string> results(FaultFiles& files, const std::string& directory) {
  std::map<std::string, std::string> all;
  for (const char* name : {store_files::kEmbeddings, store_files::kChecksums, store_files::kRecords,
                           store_files::kRejects}) {
    all[name] = files.content(path_in(directory, name));
  }
  return all;
}

// A single run's output beside the shards of the same input.
FaultFiles prepared(const DealtPlan& plan) {
  FaultFiles files;
  write_whole(files, "single", plan);
  files.make_directory(kOut);
  write_shards(files, kOut, plan);
  files.restart(Survival::kNothing, 0);
  return files;
}

// Every row again whose content was seen before.
MergedOutput::Judge judge_of(const DealtPlan& plan) {
  return [&plan](RecordRow& row) {
    if (const auto original = original_of(plan, row.position)) {
      row.status = Status::kDuplicate;
      row.duplicate_of = original;
      return MergedOutput::Vector::kOriginals;
    }
    return MergedOutput::Vector::kOwn;
  };
}

// What a command does: goes on where the journal says, and removes arrays that are claimed.
void merge(FaultFiles& files, const DealtPlan& plan, bool remove = false) {
  const auto lock = lock_output(files, kOut, {.holder = "test", .adopt = {}});
  std::vector<OutputReader> shards;
  for (std::uint64_t i = 1; i <= plan.deal.shards; ++i) {
    shards.emplace_back(files, shard_path(kOut, plan, i));
  }
  std::vector<const OutputReader*> pointers;
  for (const OutputReader& shard : shards) {
    pointers.push_back(&shard);
  }
  const MergedOutput::Parts parts{plan.layout, plan.records, plan.deal, pointers};
  const std::string name = path_in(kOut, store_files::kJournal);
  std::optional<JournalState> state;
  if (files.exists(name)) {
    state = read_journal(*files.open(name, OpenMode::kRead), name);
  }
  if (state && state->run.finish) {
    // The line was read, and may be in memory only.
    const Journal durable(files.open(name, OpenMode::kReadWrite), state->end);
    return;
  }
  MergedOutput output = state ? MergedOutput(files, kOut, parts, *state)
                              : MergedOutput(files, kOut, parts, {{"shards", plan.deal.shards}});
  if (!state || !state->run.progress) {
    output.place();
    const auto claims = state ? merge_claims(state->run) : std::map<std::uint64_t, std::string>();
    for (std::uint64_t i = 1; i <= plan.deal.shards; ++i) {
      const std::string embeddings = path_in(shard_path(kOut, plan, i), store_files::kEmbeddings);
      if (!claims.contains(i)) {
        output.take(i, [](std::uint64_t) {});
      }
      if (remove) {
        files.remove(embeddings);
      }
    }
    output.write_tables(judge_of(plan), [] {});
    Progress progress;
    progress.window_start = progress.input_records = plan.records;
    output.commit(progress);
  }
  output.finish({{"state", "complete"}}, {{"code", 3}, {"shards", plan.deal.shards}});
}

DealtPlan plan_of(std::uint64_t records, std::uint64_t shards) {
  DealtPlan plan;
  plan.records = records;
  plan.deal = {shards, 4};
  return plan;
}

}  // namespace

TEST_CASE("a deal sends each row to one place and back") {
  const Deal deal{3, 4};
  std::vector<std::uint64_t> next(deal.shards);
  for (std::uint64_t position = 0; position < 100; ++position) {
    const std::uint64_t shard = deal.shard(position);
    CHECK(deal.row(position) == next[shard]);
    CHECK(deal.position(shard, next[shard]++) == position);
  }
}

TEST_CASE("merged shards are the single run's bytes") {
  for (const std::uint64_t records : {0U, 1U, 4U, 5U, 11U, 12U, 13U, 50U}) {
    for (const std::uint64_t shards : {1U, 2U, 3U, 8U}) {
      const DealtPlan plan = plan_of(records, shards);
      INFO(records << " records in " << shards << " shards");
      FaultFiles files = prepared(plan);
      merge(files, plan);
      if (records > 0) {
        CHECK(results(files, kOut) == results(files, "single"));
      }
      CHECK(verify_store(files, kOut).findings.size() == 0);
      CHECK(verify_store(files, kOut).good());
    }
  }
}

TEST_CASE("half precision and several columns are copied as they are") {
  DealtPlan plan = plan_of(37, 3);
  plan.layout = single_vector(5, OutputDtype::kFp16, {"label", "id"});
  FaultFiles files = prepared(plan);
  merge(files, plan);
  CHECK(results(files, kOut) == results(files, "single"));
}

TEST_CASE("several arrays and the residues of records are merged") {
  for (const std::uint64_t records : {1U, 13U, 50U}) {
    DealtPlan plan = plan_of(records, 3);
    plan.layout.outputs.push_back({"embeddings.second", ArrayKind::kVector, 3, OutputDtype::kFp16});
    plan.layout.outputs.push_back({"tokens", ArrayKind::kTokens, 4, OutputDtype::kFp16});
    FaultFiles files = prepared(plan);
    merge(files, plan);
    CHECK(results(files, kOut) == results(files, "single"));
    for (const char* name : {"embeddings.second.npy", "tokens.npy", "token_offsets.npy"}) {
      CHECK(files.content(path_in(kOut, name)) == files.content(path_in("single", name)));
    }
    CHECK(verify_store(files, kOut).good());
    // As one who continues or asks for nothing looks at it.
    CHECK(open_store(files, kOut, {.holder = "", .adopt = {}, .finished_needs_none = true})
              ->state()
              ->finish.has_value());
  }
}

TEST_CASE("a damaged row of a shard is named and ends the merge, which goes on when it is mended") {
  const DealtPlan plan = plan_of(50, 3);
  FaultFiles files = prepared(plan);
  const std::string path = shard_path(kOut, plan, 2) + "/embeddings.npy";
  const std::string whole = files.content(path);
  std::string spoilt = whole;
  spoilt[128 + 5 * vector_bytes(plan.layout.outputs.front())] ^= 1;
  files.set_content(path, spoilt);
  try {
    merge(files, plan);
    FAIL("it merged");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kBadData);
    // Row 5 of the second shard is in its second block of 4: block 4 of the whole.
    CHECK(std::string(error.what()) ==
          path + " row 5 (row 17 of the input) does not match its checksum");
  }
  files.set_content(path, whole);
  merge(files, plan);
  CHECK(results(files, kOut) == results(files, "single"));
}

TEST_CASE("tables that do not name the rows that belong there are refused") {
  const DealtPlan plan = plan_of(50, 3);
  const auto spoil = [&](const std::string& name, const std::string& from, const std::string& to) {
    FaultFiles files = prepared(plan);
    const std::string path = shard_path(kOut, plan, 2) + "/" + name;
    std::string text = files.content(path);
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    REQUIRE(from.size() == to.size());
    files.set_content(path, text.replace(at, from.size(), to));
    try {
      merge(files, plan);
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::kBadData);
      return std::string(error.what());
    }
    return std::string("merged");
  };
  CHECK(spoil("records.csv", "\n7,", "\n9,").find("holds row 9 where row 7 belongs") !=
        std::string::npos);
  CHECK(spoil("records.csv", ",rejected,", ",ok,ok,ok,").find("line ") != std::string::npos);
  CHECK(spoil("rejects.csv", "\n17,", "\n18,").find("is not about row 17") != std::string::npos);
}

TEST_CASE("a merge of shards that fails or loses power anywhere is completed by the next start") {
  const DealtPlan plan = plan_of(26, 3);
  const bool remove = GENERATE(false, true);
  constexpr std::uint64_t kBehindAll = 1U << 20;
  FaultFiles reference = prepared(plan);
  merge(reference, plan);
  const auto expected = results(reference, kOut);
  const std::string journal = reference.content("out/journal.jsonl");
  std::map<Fault, std::uint64_t> fired;
  for (const Fault fault : {Fault::kErrorOnce, Fault::kErrorAlways, Fault::kDiskFull,
                            Fault::kPowerLoss, Fault::kPowerLossMid}) {
    for (std::uint64_t n = 0; n < kBehindAll; n += kEach) {
      for (unsigned seed = 0; seed < 8; seed += kSanitized ? 5 : 1) {
        FaultFiles files = prepared(plan);
        const std::size_t before = files.trace().size();
        files.arm(fault, n);
        const bool done = survives([&] { merge(files, plan, remove); });
        if (files.fired() == 0) {
          REQUIRE(done);
          n = kBehindAll;
          break;
        }
        ++fired[fault];
        INFO("fault " << static_cast<int>(fault) << " at operation " << n << ": "
                      << files.trace().at(before + n) << ", seed " << seed);
        const bool power = fault == Fault::kPowerLoss || fault == Fault::kPowerLossMid;
        if (!power) {
          files.end_process();
        }
        if (power || seed % 2 == 0) {
          files.restart(seed < 4 ? static_cast<Survival>(seed) : Survival::kRandom, seed);
        }
        if (seed >= 6) {
          files.arm(Fault::kPowerLoss, seed + n % 7);
          survives([&] { merge(files, plan, remove); });
          files.restart(Survival::kRandom, seed);
        }
        REQUIRE_NOTHROW(merge(files, plan, remove));
        files.restart(Survival::kNothing, 0);
        REQUIRE(results(files, kOut) == expected);
        REQUIRE(verify_store(files, kOut).good());
        REQUIRE_NOTHROW(merge(files, plan, remove));  // nothing is left to do
      }
    }
    CHECK(fired[fault] > 150 / (kSanitized ? 25 : 1));
  }
}
