#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "fakes/fault_files.hpp"
#include "store/embedding_store.hpp"
#include "store/output_reader.hpp"
#include "store/row_hash.hpp"
#include "store/store_driver.hpp"
#include "store/vector_store.hpp"

using namespace longhaul;
using namespace longhaul::store::test;
using namespace longhaul::store;
using namespace longhaul::fakes;

namespace {

std::vector<float> row_of(const FaultFiles& files, const DriverPlan& plan, std::uint64_t row) {
  const std::string content = files.content("out/embeddings.npy");
  std::vector<float> vector(plan.layout.outputs.front().dimension);
  std::memcpy(vector.data(), content.data() + 128 + row * plan.layout.outputs.front().dimension * 4,
              plan.layout.outputs.front().dimension * 4);
  return vector;
}

}  // namespace

TEST_CASE("a run leaves every row in its place, and NaN for the rejected") {
  FaultFiles files;
  const DriverPlan plan;
  drive(files, "out", plan);
  CHECK(files.list("out") == std::vector<std::string>{"checksums.npy", "embeddings.npy",
                                                      "journal.jsonl", "records.csv", "rejects.csv",
                                                      "run.json"});
  CHECK(files.content("out/embeddings.npy").size() == 128 + plan.records * 5 * 4);
  std::size_t rejected = 0;
  for (std::uint64_t row = 0; row < plan.records; ++row) {
    const std::vector<float> expected = expected_vector(plan, row);
    const std::vector<float> found = row_of(files, plan, row);
    if (expected.empty()) {
      ++rejected;
      CHECK(std::all_of(found.begin(), found.end(), [](float x) { return std::isnan(x); }));
    } else {
      CHECK(found == expected);
    }
  }
  CHECK(rejected == 6);
}

TEST_CASE("a run of several outputs leaves each in its file, and one checksum a row") {
  FaultFiles files;
  const DriverPlan plan = plan_of_three_outputs();
  drive(files, "out", plan);
  CHECK(files.list("out") == std::vector<std::string>{"checksums.npy", "embeddings.early.npy",
                                                      "embeddings.npy", "journal.jsonl",
                                                      "records.csv", "rejects.csv", "run.json",
                                                      "token_offsets.npy", "tokens.npy"});
  const OutputReader output(files, "out");
  REQUIRE(output.layout() == plan.layout);
  ChecksumReader checksums = output.checksums();
  std::vector<ArrayReader> arrays;
  for (const OutputSpec& spec : plan.layout.outputs) {
    arrays.push_back(output.array(spec));
    CHECK_NOTHROW(arrays.back().require_header(plan.records));
  }
  std::uint64_t residues = 0;
  for (std::uint64_t row = 0; row < plan.records; ++row) {
    RowHash hash;
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      const auto found = arrays[i].row(row);
      const std::vector<float> expected = expected_numbers(plan, i, row);
      INFO(plan.layout.outputs[i].name << " row " << row);
      if (expected.empty()) {
        CHECK(std::all_of(found.begin(), found.end(), [](float x) { return std::isnan(x); }));
      } else {
        CHECK(std::vector<float>(found.begin(), found.end()) == expected);
      }
      hash.add(arrays[i].bytes(row).value());
    }
    CHECK(checksums.of(row) == hash.value());
    residues += arrays[2].vectors(row);
  }
  // Rejected before it was computed: no residues. Later: the place stays.
  CHECK(arrays[2].vectors(3) == 0);
  CHECK(arrays[2].vectors(5) == 5 * 13 % 50);
  CHECK(arrays[2].vectors(11) == arrays[2].vectors(1));
  CHECK(files.content("out/tokens.npy").size() == 128 + residues * 2 * 2);
}

TEST_CASE("lines that no commit claims are cut when the run continues") {
  FaultFiles files;
  {
    const auto out = open_store(files, "out");
    const auto store = out->begin(kLayout, {});
    CHECK(store->put(0, only(kVector)));
    store->complete_window(std::vector{good(0, "a")});
    store->commit({1, 1, 1, "", {}, 0, {}, {}});
    CHECK(store->put(1, only(kVector)));
    store->complete_window(std::vector{good(1, std::string(2'000'000, 'x'))});
  }
  REQUIRE(files.content("out/records.csv").size() > 2'000'000);
  const auto out = open_store(files, "out");
  const auto store = out->resume(kLayout);
  CHECK(files.content("out/embeddings.npy.partial").size() == 128 + 8);
  CHECK(files.content("out/checksums.npy").size() == 128 + 8);
  CHECK(store->put(1, only(kVector)));
  store->complete_window(std::vector{good(1, "b")});
  store->commit({2, 2, 2, "", {}, 0, {}, {}});
  CHECK(files.content("out/records.csv") ==
        "row,id,source,status,length,truncated,substituted,gaps,windows,hash,duplicate_of\n"
        "0,a,in.fa,ok,3,false,0,0,0,,\n1,b,in.fa,ok,3,false,0,0,0,,\n");
}

TEST_CASE("a kept column whose name is taken becomes input.NAME") {
  FaultFiles files;
  const auto out = open_store(files, "out");
  const auto store =
      out->begin(single_vector(2, OutputDtype::kFp32, {"label", "id", "input.id"}), {});
  CHECK(store->put(0, only(kVector)));
  RecordRow row = good(0, "a,\"b\"");
  row.kept = {"1", "x\ny", "z"};
  row.truncated = true;
  row.gaps = 2;
  row.windows = 5;
  row.hash = hash128("abc");
  store->complete_window(std::vector{row});
  store->commit({1, 1, 1, "", {}, 0, {}, {}});
  CHECK(
      files.content("out/records.csv") ==
      "row,id,source,status,length,truncated,substituted,gaps,windows,hash,duplicate_of,label,"
      "input.id,"
      "input.input.id\n0,\"a,\"\"b\"\"\",in.fa,ok,3,true,0,2,5,06b05ab6733a618578af5f94892f3950,,1,"
      "\"x\ny\",z\n");
}

TEST_CASE("an output begun before gaps were counted goes on without their column") {
  FaultFiles files;
  const StoreLayout old = single_vector(2, OutputDtype::kFp32, {"x"}, {false, false});
  {
    const auto out = open_store(files, "out");
    const auto store = out->begin(old, {});
    CHECK(store->put(0, only(kVector)));
    RecordRow row = good(0, "a");
    row.kept = {"y"};
    store->complete_window(std::vector{row});
    store->commit({1, 1, 1, "", {}, 0, {}, {}});
  }
  const auto out = open_store(files, "out");
  CHECK(out->state()->layout.later == LaterColumns{false, false});
  const auto store = out->resume(out->state()->layout);
  CHECK(store->put(1, only(kVector)));
  RecordRow row = good(1, "b");
  row.kept = {"z"};
  store->complete_window(std::vector{row});
  store->commit({2, 2, 2, "", {}, 0, {}, {}});
  CHECK(files.content("out/records.csv") ==
        "row,id,source,status,length,truncated,substituted,hash,duplicate_of,x\n"
        "0,a,in.fa,ok,3,false,0,,,y\n1,b,in.fa,ok,3,false,0,,,z\n");
}

TEST_CASE("a component that is not finite, or not as fp16, stores nothing and is told") {
  FaultFiles files;
  const auto out = open_store(files, "out");
  const auto store = out->begin(single_vector(2, OutputDtype::kFp16), {});
  const std::vector<float> most{65519.0F, -65504.0F};
  const std::vector<float> too_much{0.0F, 65520.0F};
  const std::vector<float> nan{0.0F, std::nanf("")};
  CHECK(store->put(0, only(most)));
  CHECK(store->get(0).front() == std::vector<float>{65504.0F, -65504.0F});
  CHECK_FALSE(store->put(1, only(too_much)));
  CHECK_FALSE(store->put(1, only(nan)));
  CHECK(code_of(
            [&] {
              store->complete_window(std::vector{good(0, "a"), good(1, "b")});
            },
            "row 1 is claimed by out/journal.jsonl") == ExitCode::kBadData);
}

TEST_CASE("a finished run says how it ended and is not touched again") {
  FaultFiles files;
  const DriverPlan plan;
  drive(files, "out", plan);
  files.arm(Fault::kErrorAlways, 0);
  const auto out = open_store(files, "out");
  REQUIRE(out->state());
  REQUIRE(out->state()->finish);
  CHECK(out->state()->finish->at("rows") == plan.records);
  CHECK(out->state()->finish->at("code") == 3);
  CHECK(files.operations() == 0);
}

TEST_CASE("a directory that is not ours is refused, named, and never touched") {
  FaultFiles files;
  files.make_directory("out");
  files.set_content("out/thesis.tex", "years of work");
  CHECK(code_of([&] { open_store(files, "out"); }, "it holds thesis.tex") == ExitCode::kMismatch);
  files.set_content("out/journal.jsonl", "{\"a\": 1}\n");
  CHECK(code_of([&] { open_store(files, "out"); }, "journal.jsonl is not longhaul's") ==
        ExitCode::kMismatch);
  CHECK(files.list("out") == std::vector<std::string>{"journal.jsonl", "thesis.tex"});
}

TEST_CASE("clearing deletes our files and no other") {
  FaultFiles files;
  const DriverPlan plan;
  drive(files, "out", plan);
  files.set_content("out/notes.txt", "mine");
  files.set_content("out/memory.jsonl", "{}\n");
  const auto out = open_store(files, "out");
  REQUIRE(out->state());
  out->clear();
  CHECK(files.list("out") == std::vector<std::string>{"notes.txt"});
  CHECK_FALSE(out->state());
  CHECK_NOTHROW(out->begin(kLayout, {}));
}

TEST_CASE("clearing works where the journal is damaged") {
  FaultFiles files;
  drive(files, "out", {});
  std::string journal = files.content("out/journal.jsonl");
  journal[100] ^= 1;
  files.set_content("out/journal.jsonl", journal);
  const auto out = open_store(files, "out");
  CHECK(code_of([&] { out->state(); }, "line 1 (byte 0)") == ExitCode::kBadData);
  out->clear();
  CHECK(files.list("out").empty());
}

TEST_CASE("a directory made for a run that never began is removed again") {
  FaultFiles files;
  open_store(files, "out");
  CHECK(files.kind("out") == PathKind::kAbsent);
  files.make_directory("out");
  open_store(files, "out");
  CHECK(files.kind("out") == PathKind::kDirectory);
}

TEST_CASE("a second start names the holder of the lock") {
  const auto files = posix_files();
  std::string folder = "/tmp/longhaul-store-XXXXXX";
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  {
    const auto first = open_store(*files, folder + "/out", {"process 42 on host x", {}});
    const auto again = [&] { open_store(*files, folder + "/out", {"process 43", {}}); };
    CHECK(code_of(again, "is in use by process 42 on host x") == ExitCode::kUnavailable);
  }
  CHECK_NOTHROW(open_store(*files, folder + "/out"));
  CHECK(files->list(folder).empty());
  files->remove_directory(folder);
}

TEST_CASE("a path that is a file, or cannot be made, is an I/O error") {
  const auto files = posix_files();
  CHECK(code_of([&] { open_store(*files, "/dev/null"); }, "is a file, not a directory") ==
        ExitCode::kIo);
  CHECK(code_of([&] { open_store(*files, "/proc/out"); }, "/proc/out") == ExitCode::kIo);
}

TEST_CASE("files smaller than the journal claims are named") {
  const DriverPlan plan = plan_of_three_outputs();
  for (const std::string name :
       {"embeddings.npy.partial", "embeddings.early.npy.partial", "tokens.npy.partial",
        "token_offsets.npy", "checksums.npy", "records.csv", "rejects.csv"}) {
    FaultFiles files;
    files.arm(Fault::kErrorOnce, 110);
    CHECK_THROWS_AS(drive(files, "out", plan), Error);
    files.end_process();
    const std::string whole = files.content("out/" + name);
    files.set_content("out/" + name, whole.substr(0, whole.size() / 3));
    CHECK(code_of([&] { drive(files, "out", plan); }, "out/" + name + " has ") ==
          ExitCode::kBadData);
    files.remove("out/" + name);
    CHECK(code_of([&] { drive(files, "out", plan); }, "out/" + name + " is missing") ==
          ExitCode::kBadData);
  }
}
