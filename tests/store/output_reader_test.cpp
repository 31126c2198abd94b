#include "store/output_reader.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "fakes/fault_files.hpp"
#include "store/row_hash.hpp"
#include "store/store_driver.hpp"

using namespace longhaul;
using namespace longhaul::store::test;
using namespace longhaul::store;
using namespace longhaul::fakes;

namespace {

void change(FaultFiles& files, const std::string& name, const std::string& from,
            const std::string& to) {
  std::string content = files.content("out/" + name);
  const std::size_t at = content.find(from);
  REQUIRE(at != std::string::npos);
  files.set_content("out/" + name, content.replace(at, from.size(), to));
}

}  // namespace

TEST_CASE("a finished output is read back: claims, report, records, rejects and vectors") {
  const DriverPlan plan;
  FaultFiles files = stopped(kNever);
  const OutputReader output(files, "out");
  CHECK(output.finished());
  CHECK(output.rows() == plan.records);
  CHECK(output.layout() == plan.layout);
  CHECK(output.run().at("records") == plan.records);
  CHECK(output.writer().empty());
  RecordCursor records = output.records();
  RejectCursor rejects = output.rejects();
  ArrayReader array = output.array("embeddings");
  ChecksumReader checksums = output.checksums();
  std::uint64_t row = 0;
  for (RecordRow record; records.next(record); ++row) {
    CHECK(record.row == row);
    CHECK(record.source == "in.csv");
    CHECK(record.hash == hash128(std::to_string(row)));
    CHECK(record.kept == std::vector<std::string>{std::to_string(row % 2), "kept"});
    const std::vector<float> expected = expected_vector(plan, row);
    CHECK(expected.empty() == (record.status == Status::kRejected));
    if (record.status == Status::kRejected) {
      RecordRow reject;
      REQUIRE(rejects.next(reject));
      CHECK(reject.row == row);
      CHECK(reject.id == record.id);
      CHECK(reject.line == row + 2);
      CHECK(reject.defect.has_value());
    } else {
      const auto vector = array.row(row);
      CHECK(std::vector<float>(vector.begin(), vector.end()) == expected);
    }
    RowHash hash;
    hash.add(array.bytes(row).value());
    CHECK(hash.value() == checksums.of(row));
  }
  CHECK(row == plan.records);
  RecordRow extra;
  CHECK_FALSE(rejects.next(extra));
  CHECK(array.bytes(plan.records) == std::nullopt);
  CHECK_THROWS_WITH(array.row(plan.records), Catch::Contains("embeddings.npy row 22 is missing"));
  CHECK_THROWS_WITH(output.array("tokens"), Catch::Contains("there are embeddings"));
}

TEST_CASE("of a run that stopped anywhere what is claimed is read, and nothing is changed") {
  const DriverPlan plan;
  std::uint64_t unfinished = 0;
  for (std::uint64_t at = 3; at < 100; ++at) {
    FaultFiles files = stopped(at);
    const std::uint64_t operations = files.operations();
    const OutputReader output(files, "out");
    if (!output.claims() || !output.claims()->run.progress || output.finished()) {
      continue;
    }
    INFO("stopped at operation " << at);
    ++unfinished;
    std::uint64_t rows = 0;
    ArrayReader array = output.array("embeddings");
    RecordCursor records = output.records();
    for (RecordRow record; records.next(record); ++rows) {
      const std::vector<float> expected = expected_vector(plan, record.row);
      if (!expected.empty()) {
        const auto vector = array.row(record.row);
        CHECK(std::vector<float>(vector.begin(), vector.end()) == expected);
      }
    }
    CHECK(rows == output.rows());
    CHECK(files.operations() == operations);
  }
  CHECK(unfinished > 30);
}

TEST_CASE("a run that has committed nothing has no records, whatever its tables hold") {
  std::uint64_t met = 0;
  for (std::uint64_t at = 3; at < 60; ++at) {
    FaultFiles files = stopped(at);
    if (!OutputReader(files, "out").claims() || OutputReader(files, "out").claims()->run.progress) {
      continue;
    }
    INFO("stopped at operation " << at);
    ++met;
    for (const char* table : {"out/records.csv", "out/rejects.csv"}) {
      files.set_content(table, "");
    }
    const OutputReader output(files, "out");
    RecordRow row;
    CHECK_FALSE(output.records().next(row));
    CHECK(output.records().header_fits());
    CHECK_FALSE(output.rejects().next(row));
  }
  CHECK(met > 0);
}

TEST_CASE("rows are read in any order") {
  const DriverPlan plan;
  FaultFiles files = stopped(kNever);
  ArrayReader array = OutputReader(files, "out").array("embeddings");
  for (const std::uint64_t row : {20U, 1U, 2U, 0U, 21U, 2U}) {
    const auto vector = array.row(row);
    if (const auto expected = expected_vector(plan, row); !expected.empty()) {
      CHECK(std::vector<float>(vector.begin(), vector.end()) == expected);
    }
  }
}

TEST_CASE("a record that does not fit is refused with its line and the reader's remedy") {
  struct Damage {
    const char* from;
    const char* to;
    const char* said;
  };
  for (const Damage& damage :
       {Damage{"\n6,id 6", "\n7,id 6", "holds row 7 where row 6 belongs"},
        Damage{",ok,", ",fine,", "no valid row or status"},
        Damage{",false,", ",no,", "no valid length"},
        Damage{",0,0,0,", ",0,0,x,", "gaps or windows"}, Damage{",in.csv,ok", ",ok", "fields, not"},
        Damage{",0,0,0,", ",0,0,0,q", "no valid hash"},
        Damage{"row,id", "id,row", "line 1: is not the header"}}) {
    FaultFiles files = stopped(kNever);
    change(files, "records.csv", damage.from, damage.to);
    INFO(damage.said);
    RecordCursor records =
        OutputReader(files, "out", OutputReader::JournalFile::kRequired, "look").records();
    try {
      for (RecordRow row; records.next(row);) {
      }
      FAIL("was read");
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::kBadData);
      CHECK_THAT(error.what(),
                 Catch::Contains("out/records.csv, line ") && Catch::Contains(damage.said));
      CHECK(error.remedy() == "look");
    }
  }
}

TEST_CASE("files that were copied without their journal are read where that is allowed") {
  const DriverPlan plan;
  FaultFiles files = stopped(kNever);
  files.remove("out/journal.jsonl");
  CHECK_THROWS_AS(OutputReader(files, "out"), Error);
  const OutputReader output(files, "out", OutputReader::JournalFile::kOptional);
  CHECK(output.finished());
  CHECK(output.rows() == plan.records);
  CHECK(output.layout().outputs == plan.layout.outputs);
  // As they stand: what was called id in the input is not known from here.
  CHECK(output.layout().kept_columns == std::vector<std::string>{"label", "input.id"});
  CHECK(output.array("embeddings").row(0).size() == 5);
}

TEST_CASE("a directory of other things, and one of nothing") {
  FaultFiles files;
  CHECK_THROWS_WITH(OutputReader(files, "out"), Catch::Contains("is not a directory"));
  files.make_directory("out");
  const OutputReader empty(files, "out");
  CHECK_FALSE(empty.claims());
  CHECK_FALSE(empty.finished());
  CHECK_THROWS_WITH(empty.layout(), Catch::Contains("holds no run"));
  files.set_content("out/other", "x");
  CHECK_THROWS_WITH(OutputReader(files, "out"), Catch::Contains("not ours"));
}
