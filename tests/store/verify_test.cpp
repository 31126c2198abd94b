#include "store/verify.hpp"

#include <catch2/catch.hpp>
#include <functional>

#include "base/error.hpp"
#include "fakes/fault_files.hpp"
#include "store/store_driver.hpp"

using namespace longhaul;
using namespace longhaul::store::test;
using namespace longhaul::store;
using namespace longhaul::fakes;

namespace {

FaultFiles finished(const DriverPlan& plan = {}) {
  FaultFiles files;
  drive(files, "out", plan);
  return files;
}

void edit(FaultFiles& files, const std::string& name,
          const std::function<void(std::string&)>& change) {
  std::string content = files.content("out/" + name);
  const std::string before = content;
  change(content);
  REQUIRE(content != before);
  files.set_content("out/" + name, content);
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
}

// The findings as lines.
std::string told(FaultFiles& files) {
  std::string text;
  for (const Finding& finding : verify_store(files, "out").findings) {
    text += finding.where + ": " + finding.what + "\n";
  }
  return text;
}

bool tells(FaultFiles& files, const std::string& what) {
  const std::string text = told(files);
  INFO(text);
  CHECK_THAT(text, Catch::Contains(what));
  return text.find(what) != std::string::npos;
}

}  // namespace

TEST_CASE("a finished run verifies, and is counted") {
  FaultFiles files = finished();
  const Verification result = verify_store(files, "out");
  CHECK(told(files).empty());
  CHECK(result.good());
  CHECK(result.finished);
  CHECK(result.rows == 22);
  CHECK(result.ok == 15);
  CHECK(result.rejected == 6);
  CHECK(result.duplicates == 1);
}

TEST_CASE("a changed row is named") {
  const DriverPlan plan;
  FaultFiles files = finished();
  edit(files, "embeddings.npy", [](std::string& all) { all[128 + 9 * 20 + 3] ^= 1; });
  CHECK(told(files) == "out/embeddings.npy row 9: does not match its checksum\n");
}

TEST_CASE("a changed row of any output is named, and offsets that were changed") {
  const DriverPlan plan = plan_of_three_outputs();
  FaultFiles files = finished(plan);
  CHECK(told(files).empty());
  CHECK(verify_store(files, "out").ok == 15);
  edit(files, "embeddings.early.npy", [](std::string& all) { all[128 + 9 * 6 + 3] ^= 1; });
  CHECK(told(files) == "out/embeddings.npy row 9: does not match its checksum\n");
  files = finished(plan);
  edit(files, "tokens.npy", [](std::string& all) { all.back() ^= 1; });
  CHECK(told(files) == "out/embeddings.npy row 21: does not match its checksum\n");
  files = finished(plan);
  edit(files, "token_offsets.npy", [](std::string& all) { all[128 + 2 * 8] ^= 1; });
  tells(files, "row 1: does not match its checksum");
  files = finished(plan);
  edit(files, "tokens.npy", [](std::string& all) { all.resize(all.size() - 1); });
  tells(files, "out/tokens.npy: has ");
  files = finished(plan);
  edit(files, "token_offsets.npy", [](std::string& all) { replace(all, "(23,", "(22,"); });
  tells(files, "token_offsets.npy bytes 0 to 128: is not the header");
  files = finished(plan);
  files.remove("out/token_offsets.npy");
  tells(files, "out/token_offsets.npy: is missing");
}

TEST_CASE("a changed checksum is named") {
  FaultFiles files = finished();
  edit(files, "checksums.npy", [](std::string& all) { all.back() ^= 1; });
  CHECK(told(files) == "out/embeddings.npy row 21: does not match its checksum\n");
}

TEST_CASE("a damaged header, a short file and a missing file are named") {
  FaultFiles files = finished();
  edit(files, "embeddings.npy", [](std::string& all) { replace(all, "(22", "(21"); });
  tells(files, "embeddings.npy bytes 0 to 128: is not the header");
  files = finished();
  edit(files, "embeddings.npy", [](std::string& all) { all.resize(all.size() - 5); });
  tells(files, "embeddings.npy: has 563 bytes; the journal claims 568");
  tells(files, "embeddings.npy row 21: is missing");
  files = finished();
  files.remove("out/checksums.npy");
  tells(files, "out/checksums.npy: is missing");
}

TEST_CASE("changed text files are named with the bytes, lines and rows") {
  FaultFiles files = finished();
  edit(files, "records.csv", [](std::string& all) { replace(all, "\n6,id 6,", "\n7,id 6,"); });
  tells(files, "out/records.csv: bytes ");
  tells(files, "holds row 7 where row 6 belongs");
  files = finished();
  edit(files, "records.csv",
       [](std::string& all) { replace(all, ",in.csv,rejected", ",in.csv,ok"); });
  tells(files, "row 3: is not finite, and records.csv says it is ok");
  tells(files, "does not belong to the rejected row 5");
  files = finished();
  edit(files, "records.csv",
       [](std::string& all) { replace(all, ",in.csv,ok", ",in.csv,rejected"); });
  tells(files, "row 0: holds a vector, and records.csv says it is rejected");
  files = finished();
  edit(files, "rejects.csv", [](std::string& all) { all.resize(all.rfind("\n19,") + 1); });
  tells(files, "lacks row 19, which records.csv says is rejected");
  files = finished();
  edit(files, "rejects.csv", [](std::string& all) { all += "x\n"; });
  tells(files, "rejects.csv: has ");
  files = finished();
  edit(files, "records.csv", [](std::string& all) { replace(all, ",duplicate,", ",duplicatf,"); });
  tells(files, "has no valid row or status");
}

TEST_CASE("a duplicate that differs from its original is named") {
  FaultFiles files = finished();
  edit(files, "records.csv", [](std::string& all) {
    const std::size_t row = all.find("\n11,id 11");
    all.replace(all.find(",1,1,", row), 5, ",2,1,");
  });
  tells(files, "row 11: differs from row 2, of which it is a duplicate");
}

TEST_CASE("a report that was changed is named") {
  FaultFiles files = finished();
  edit(files, "run.json", [](std::string& all) { replace(all, "22", "23"); });
  CHECK(told(files) == "out/run.json: is not what the run wrote when it finished\n");
}

TEST_CASE("an unfinished run does not verify, and what is committed is checked") {
  FaultFiles files;
  files.arm(Fault::kErrorOnce, 60);
  CHECK_THROWS_AS(drive(files, "out", {}), Error);
  files.end_process();
  CHECK(told(files) ==
        "out/journal.jsonl: says that the run is not finished (14 records are committed): give its "
        "command again\n");
  edit(files, "embeddings.npy.partial", [](std::string& all) { all[128] ^= 1; });
  tells(files, "embeddings.npy.partial row 0: does not match its checksum");
}

TEST_CASE("while a run writes there is nothing to verify") {
  FaultFiles files;
  const auto out = open_store(files, "out", {"process 7", {}});
  const auto store = out->begin(single_vector(1), {});
  files.set_content("out/longhaul.lock", "process 7");
  try {
    verify_store(files, "out");
    FAIL("verified");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kUnavailable);
    CHECK_THAT(error.what(), Catch::Contains("process 7"));
  }
}

TEST_CASE("recomputed rows are compared with the stored ones") {
  const DriverPlan plan;
  FaultFiles files = finished();
  VerifySettings settings;
  settings.recompute_rows = 5;
  std::vector<std::uint64_t> asked;
  settings.recompute = [&](std::span<const std::uint64_t> rows) {
    asked.assign(rows.begin(), rows.end());
    RecomputedRows again;
    for (const std::uint64_t row : rows) {
      again.rows.push_back({expected_vector(plan, row)});
    }
    return again;
  };
  Verification result = verify_store(files, "out", settings);
  CHECK(result.good());
  CHECK(asked.size() == 5);
  CHECK(result.recomputed_equal == 5);

  const auto exact = settings.recompute;
  double tolerance = 0;
  settings.recompute = [&](std::span<const std::uint64_t> rows) {
    RecomputedRows again = exact(rows).value();
    again.rows[2][0][1] += 0.5F;
    again.tolerance = tolerance;
    return again;
  };
  result = verify_store(files, "out", settings);
  REQUIRE(result.findings.size() == 1);
  CHECK(result.findings[0].where == "out/embeddings.npy row " + std::to_string(asked[2]));
  CHECK(result.recomputed_equal == 4);
  tolerance = 0.6;
  result = verify_store(files, "out", settings);
  CHECK(result.good());
  CHECK(result.tolerance == 0.6);
}
