#include "export/dataset_names.hpp"

#include <catch2/catch.hpp>

#include "fakes/fault_files.hpp"
#include "store/store_driver.hpp"

using namespace longhaul;
using namespace longhaul::export_room;
using namespace longhaul::fakes;
using namespace longhaul::store::test;

TEST_CASE("a name is the key, with what HDF5 takes for folders put otherwise") {
  CHECK(dataset_name("sp|P1.2|A_B c") == "sp|P1.2|A_B c");
  CHECK(dataset_name("/a//b/") == "%2Fa%2F%2Fb%2F");
  CHECK(dataset_name("./a") == ".%2Fa");
  CHECK(dataset_name(".") == "%2E");
  CHECK(dataset_name("..") == "..");
  CHECK(dataset_name("50%2F") == "50%2F");
}

TEST_CASE("many datasets, and names that are not the key, are warned about") {
  CHECK(warnings_of({400'000, 0}).empty());
  const std::vector<std::string> many = warnings_of({400'001, 0});
  REQUIRE(many.size() == 1);
  CHECK_THAT(many.front(), Catch::Contains("400,001") && Catch::Contains("--layout matrix"));
  CHECK_THAT(warnings_of({400'000, 1}).at(0), Catch::StartsWith("1 id has"));
  CHECK(warnings_of({500'000, 2}).size() == 2);
}

TEST_CASE("the names of the rows that are to be written are looked at") {
  FaultFiles files;
  drive(files, "out", DriverPlan{});
  const store::OutputReader output(files, "out");
  const bool all = GENERATE(false, true);
  std::uint64_t rows = 0;
  std::uint64_t ok = 0;
  store::RecordCursor records = output.records();
  for (RecordRow record; records.next(record);) {
    ++rows;
    ok += record.status == Status::kOk ? 1U : 0U;
  }
  REQUIRE(ok < rows);
  std::uint64_t seen = 0;
  const DatasetNames names = check_dataset_names(output, NameKey::kId, all, [&] { ++seen; });
  CHECK(names.datasets == (all ? rows : ok));
  CHECK(seen == rows);
}
