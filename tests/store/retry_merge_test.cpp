#include "store/retry_merge.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "fakes/fault_files.hpp"
#include "fakes/sanitized.hpp"
#include "store/output_reader.hpp"
#include "store/store_driver.hpp"
#include "store/verify.hpp"

using namespace longhaul;
using namespace longhaul::store::test;
using namespace longhaul::store;
using namespace longhaul::fakes;

namespace {

struct Rejected {
  std::uint64_t row = 0;
  std::string id;
};

std::vector<Rejected> rejects_of(FaultFiles& files) {
  RejectCursor cursor = OutputReader(files, "out").rejects();
  std::vector<Rejected> rejected;
  for (RecordRow row; cursor.next(row);) {
    rejected.push_back({row.row, row.id});
  }
  return rejected;
}

std::vector<float> second_vector(std::uint64_t row, std::uint32_t dimension) {
  return std::vector<float>(dimension, static_cast<float>(row) + 0.5F);
}

// Other lengths than before, also where the first run kept a place.
std::uint32_t second_length(std::uint64_t row) {
  return static_cast<std::uint32_t>(row % 4);
}

std::vector<float> second_numbers(std::uint64_t row, const OutputSpec& output) {
  return second_vector(
      row, output.dimension * (output.kind == ArrayKind::kTokens ? second_length(row) : 1));
}

// A retry that embeds each rejected row but every third.
void retry(FaultFiles& files, const DriverPlan& plan) {
  const std::vector<Rejected> rejected = rejects_of(files);
  const std::uint64_t before = read_store(files, "out")->retries;
  const auto directory = open_store(files, retry_directory("out"));
  const auto store = directory->begin(plan.layout, {{"retry", {{"after", before}}}});
  std::vector<RecordRow> rows;
  std::vector<std::uint32_t> residues;
  for (std::uint64_t k = 0; k < rejected.size(); ++k) {
    residues.push_back(k % 3 == 2 ? 0 : second_length(rejected[k].row));
  }
  store->place_window(0, residues);
  for (std::uint64_t k = 0; k < rejected.size(); ++k) {
    RecordRow row;
    row.row = k;
    row.position = rejected[k].row;
    row.id = rejected[k].id;
    row.kept = {"0", "kept, again"};
    if (k % 3 == 2) {
      row.status = Status::kRejected;
      row.defect = Defect{Reason::kTooLong, "still"};
    } else {
      std::vector<std::vector<float>> numbers;
      for (const OutputSpec& output : plan.layout.outputs) {
        numbers.push_back(second_numbers(rejected[k].row, output));
      }
      REQUIRE(store->put(k, std::vector<std::span<const float>>(numbers.begin(), numbers.end())));
    }
    rows.push_back(row);
  }
  store->complete_window(rows);
  Progress progress;
  progress.window = 1;
  progress.window_start = rejected.size();
  store->commit(progress);
  store->finish(rejected.size(), {{"state", "retried"}},
                {{"code", 3}, {"counters", {{"left", rejected.size() / 3}}}});
}

// A complete output, and a finished retry of it.
FaultFiles prepared(const DriverPlan& plan) {
  FaultFiles files;
  drive(files, "out", plan);
  retry(files, plan);
  files.restart(Survival::kNothing, 0);
  return files;
}

std::map<std::string, std::string> all_files(FaultFiles& files) {
  std::map<std::string, std::string> all;
  for (const std::string& name : files.list("out")) {
    all[name] = files.content("out/" + name);
  }
  return all;
}

std::string row_bytes_at(FaultFiles& files, const DriverPlan& plan, std::uint64_t row) {
  const std::size_t size = plan.layout.outputs.front().dimension * sizeof(float);
  return files.content("out/embeddings.npy").substr(128 + row * size, size);
}

std::string bytes_of_vector(const std::vector<float>& vector) {
  const auto bytes = std::as_bytes(std::span(vector));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// What the same command does after a fault: opens the output, which may complete the merge, and
// merges what is still to be merged.
void continue_merge(FaultFiles& files) {
  const auto out = open_store(files, "out");
  REQUIRE(out->state());
  REQUIRE(out->state()->finish);
  if (files.exists(retry_directory("out"))) {
    merge_retry(files, "out");
  }
}

}  // namespace

TEST_CASE("merging a retry changes the rejected rows and no other") {
  const DriverPlan plan;
  FaultFiles files = prepared(plan);
  const std::vector<Rejected> rejected = rejects_of(files);
  REQUIRE(rejected.size() >= 5);
  std::map<std::uint64_t, std::string> expected;
  for (std::uint64_t row = 0; row < plan.records; ++row) {
    expected[row] = row_bytes_at(files, plan, row);
  }
  for (std::size_t k = 0; k < rejected.size(); ++k) {
    if (k % 3 != 2) {
      expected[rejected[k].row] =
          bytes_of_vector(second_vector(rejected[k].row, plan.layout.outputs.front().dimension));
    }
  }
  REQUIRE(survives([&] { continue_merge(files); }));
  for (std::uint64_t row = 0; row < plan.records; ++row) {
    CHECK(row_bytes_at(files, plan, row) == expected[row]);
  }
  const std::optional<StoreState> state = read_store(files, "out");
  CHECK(state->retries == 1);
  CHECK(state->progress->counters == nlohmann::json{{"left", rejected.size() / 3}});
  CHECK(state->finish->at("code") == 3);
  const std::vector<Rejected> left = rejects_of(files);
  REQUIRE(left.size() == rejected.size() / 3);
  CHECK(left[0].row == rejected[2].row);
  CHECK(left[0].id == rejected[2].id);
  const Verification verified = verify_store(files, "out");
  CHECK(verified.good());
  CHECK(verified.rejected == left.size());
  CHECK_FALSE(files.exists("out/retry.partial"));
}

TEST_CASE("residues of a retry take their place among the others") {
  const DriverPlan plan = plan_of_three_outputs();
  FaultFiles files = prepared(plan);
  const std::vector<Rejected> rejected = rejects_of(files);
  std::map<std::uint64_t, std::vector<float>> expected;
  for (std::size_t k = 0; k < rejected.size(); ++k) {
    if (k % 3 != 2) {
      expected[rejected[k].row] = second_numbers(rejected[k].row, plan.layout.outputs[2]);
    }
  }
  FaultFiles old_files = prepared(plan);
  ArrayReader before = OutputReader(old_files, "out").array("tokens");
  REQUIRE(survives([&] { continue_merge(files); }));
  ArrayReader after = OutputReader(files, "out").array("tokens");
  CHECK_NOTHROW(after.require_header(plan.records));
  for (std::uint64_t row = 0; row < plan.records; ++row) {
    INFO("row " << row);
    if (expected.contains(row)) {
      const auto found = after.row(row);
      CHECK(std::vector<float>(found.begin(), found.end()) == expected[row]);
    } else {
      const auto found = after.bytes(row).value();
      const auto was = before.bytes(row).value();
      CHECK(std::equal(found.begin(), found.end(), was.begin(), was.end()));
    }
  }
  CHECK(verify_store(files, "out").good());
  CHECK_FALSE(files.exists("out/tokens.npy.next"));
  retry(files, plan);
  REQUIRE(survives([&] { continue_merge(files); }));
  CHECK(verify_store(files, "out").good());
}

TEST_CASE("a retry of what a retry left") {
  const DriverPlan plan;
  FaultFiles files = prepared(plan);
  REQUIRE(survives([&] { continue_merge(files); }));
  const std::size_t left = rejects_of(files).size();
  retry(files, plan);
  REQUIRE(survives([&] { continue_merge(files); }));
  CHECK(rejects_of(files).size() == left / 3);
  CHECK(read_store(files, "out")->retries == 2);
  CHECK(verify_store(files, "out").good());
}

TEST_CASE("a merge that fails or loses power at any operation is completed by the next start") {
  const DriverPlan plan = GENERATE(0, 1) == 0 ? DriverPlan{} : plan_of_three_outputs();
  FaultFiles reference = prepared(plan);
  REQUIRE(survives([&] { continue_merge(reference); }));
  const auto expected = all_files(reference);
  std::map<Fault, std::uint64_t> fired;
  for (const Fault fault : {Fault::kErrorOnce, Fault::kErrorAlways, Fault::kDiskFull,
                            Fault::kPowerLoss, Fault::kPowerLossMid}) {
    for (std::uint64_t n = 0; n < kNever; n += kEach) {
      for (unsigned seed = 0; seed < 12 && n < kNever; seed += kSanitized ? 5 : 1) {
        FaultFiles files = prepared(plan);
        const std::size_t before = files.trace().size();
        files.arm(fault, n);
        const bool done = survives([&] { continue_merge(files); });
        if (files.fired() == 0) {
          REQUIRE(done);
          n = kNever;
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
        if (!read_store(files, "out")->merging) {
          // As before, but for a torn last line of the journal.
          REQUIRE(verify_store(files, "out").findings.size() <= 1);
        }
        if (seed >= 6) {
          files.arm(Fault::kPowerLoss, seed + n % 7);
          survives([&] { continue_merge(files); });
          files.restart(Survival::kRandom, seed);
        }
        REQUIRE_NOTHROW(continue_merge(files));
        files.restart(Survival::kNothing, 0);
        REQUIRE_NOTHROW(continue_merge(files));
        REQUIRE(all_files(files) == expected);
        REQUIRE_FALSE(files.exists("out/retry.partial"));
        REQUIRE(verify_store(files, "out").good());
      }
    }
    CHECK(fired[fault] > 200 / (kSanitized ? 20 : 1));
    WARN("fault kind " << static_cast<int>(fault) << " fired " << fired[fault] << " times");
  }
}

TEST_CASE("while a retry is merged, verify says so and reads nothing wrong into it") {
  const DriverPlan plan;
  FaultFiles files = prepared(plan);
  for (std::uint64_t n = 0;; ++n) {
    FaultFiles stopped = prepared(plan);
    stopped.arm(Fault::kErrorAlways, n);
    REQUIRE_FALSE(survives([&] { continue_merge(stopped); }));
    stopped.end_process();
    if (read_store(stopped, "out")->merging) {
      const Verification verified = verify_store(stopped, "out");
      REQUIRE(verified.finding_count == 1);
      CHECK(verified.findings[0].what.find("is being merged") != std::string::npos);
      break;
    }
  }
}

TEST_CASE("a retry that does not belong to the output is refused, and nothing is changed") {
  const DriverPlan plan;
  const bool row = GENERATE(true, false);
  FaultFiles files = prepared(plan);
  std::string records = files.content("out/retry.partial/records.csv");
  const std::size_t line = records.find('\n') + 1;
  char& place = records[row ? line : records.find(',', line) + 1];
  place = place == '9' ? '8' : '9';  // the row it belongs to, or the record's id
  files.set_content("out/retry.partial/records.csv", records);
  const std::string before = files.content("out/journal.jsonl");
  CHECK_THROWS_AS(merge_retry(files, "out"), Error);
  CHECK(files.content("out/journal.jsonl") == before);
}

TEST_CASE("starting anew takes an unfinished retry with it") {
  const DriverPlan plan;
  FaultFiles files = prepared(plan);
  {
    const auto out = open_store(files, "out");
    CHECK(files.exists("out/retry.partial"));
    out->clear();
    CHECK_FALSE(files.exists("out/retry.partial"));
  }
  drive(files, "out", plan);
  CHECK(verify_store(files, "out").good());
}
