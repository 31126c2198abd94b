#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "fakes/fault_files.hpp"
#include "store/embedding_store.hpp"
#include "store/store_driver.hpp"

using namespace longhaul;
using namespace longhaul::fakes;

namespace {

std::vector<float> row_of(const FaultFiles& files, const DriverPlan& plan, std::uint64_t row) {
  const std::string content = files.content("out/embeddings.npy");
  std::vector<float> vector(plan.layout.dimension);
  std::memcpy(vector.data(), content.data() + 128 + row * plan.layout.dimension * 4,
              plan.layout.dimension * 4);
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
