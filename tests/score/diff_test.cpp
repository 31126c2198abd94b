#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>

#include "base/error.hpp"
#include "fakes/fault_files.hpp"
#include "score/diff_settings.hpp"
#include "score/distances.hpp"
#include "score/id_join.hpp"
#include "score/nearest.hpp"
#include "score/output_diff.hpp"
#include "store/store_driver.hpp"

using namespace longhaul;
using namespace longhaul::score;
using namespace longhaul::fakes;
using longhaul::store::OutputReader;

namespace {

struct Told {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> same, other_content;
  std::vector<std::uint64_t> only_a, only_b, repeated;
};

Told join(std::vector<RecordKey> a, std::vector<RecordKey> b) {
  Told told;
  const auto only = [&told](std::vector<std::uint64_t>& rows) {
    return [&told, &rows](const RecordKey& key, bool repeated) {
      rows.push_back(key.row);
      if (repeated) {
        told.repeated.push_back(key.row);
      }
    };
  };
  const auto both = [](auto& pairs) {
    return [&pairs](const RecordKey& one, const RecordKey& other) {
      pairs.emplace_back(one.row, other.row);
    };
  };
  join_records(a, b,
               {both(told.same), both(told.other_content), only(told.only_a), only(told.only_b)});
  return told;
}

RecordKey key(std::uint64_t id, std::uint64_t content, std::uint64_t row) {
  return {id, content, row, Status::kOk};
}

FaultFiles two_runs(const store::test::DriverPlan& a, const store::test::DriverPlan& b) {
  FaultFiles files;
  drive(files, "a", a);
  drive(files, "b", b);
  return files;
}

}  // namespace

TEST_CASE("the distance of nearly equal vectors has digits that 1 - cosine has not") {
  const std::vector<double> a{1, 2, 3};
  std::vector<double> b = a;
  CHECK(cosine_distance(a, b) == 0.0);
  b[0] += 1e-9;
  // Of a turn by t it is t * t / 2; what turns is the part of the change across the vector.
  const double turn = 1e-9 * std::sqrt(13.0 / 14.0) / std::sqrt(14.0);
  CHECK(*cosine_distance(a, b) == Approx(turn * turn / 2).epsilon(1e-5));
  const std::vector<double> zero(3);
  CHECK(!cosine_distance(a, zero));
  CHECK(!cosine_distance(a, b, 4, 0));
  const std::vector<double> opposite{-1, -2, -3};
  CHECK(*cosine_distance(a, opposite) == Approx(2));
}

TEST_CASE("quantiles of distances are those of the sorted list, to one part in 2,000") {
  std::mt19937_64 random(4);
  std::vector<double> all(30, 0.0);
  Distances distances;
  for (int i = 0; i < 970; ++i) {
    all.push_back(2 * std::exp(-30 * static_cast<double>(random() >> 11) * 0x1p-53));
  }
  for (const double distance : all) {
    distances.add(distance);
  }
  std::sort(all.begin(), all.end());
  CHECK(distances.count() == 1000);
  CHECK(distances.greatest() == all.back());
  CHECK(distances.at(0.03) == 0);
  for (const std::size_t rank : {31U, 100U, 500U, 999U, 1000U}) {
    CHECK(distances.at(static_cast<double>(rank) / 1000) ==
          Approx(all[rank - 1]).epsilon(1.0 / 2000));
  }
  CHECK(Distances().at(0.5) == 0);
}

TEST_CASE("the nearest of each are those of a search one by one") {
  constexpr std::size_t kRows = 150;  // more than two blocks
  constexpr std::size_t kCount = 7;
  std::mt19937_64 random(5);
  std::vector<float> values(kRows * 5);
  for (float& value : values) {
    value = static_cast<float>(random() >> 40) * 0x1p-24F - 0.3F;
  }
  const std::vector<double> wide(values.begin(), values.end());
  const auto row = [&wide](std::size_t i) { return std::span(wide).subspan(i * 5, 5); };
  const std::vector<std::uint32_t> nearest = nearest_of_each(values, kRows, kCount);
  REQUIRE(nearest.size() == kRows * kCount);
  for (std::size_t i = 0; i < kRows; ++i) {
    std::vector<std::pair<double, std::uint32_t>> others;
    for (std::size_t j = 0; j < kRows; ++j) {
      if (j != i) {
        others.emplace_back(*cosine_distance(row(i), row(j)), static_cast<std::uint32_t>(j));
      }
    }
    std::sort(others.begin(), others.end());
    for (std::size_t k = 0; k < kCount; ++k) {
      CHECK(nearest[i * kCount + k] == others[k].second);
    }
  }
  CHECK(agreement(nearest, nearest, kCount) == 1);
  const std::vector<std::uint32_t> a{1, 2, 3, 4};
  const std::vector<std::uint32_t> b{2, 9, 4, 3};
  CHECK(agreement(a, b, 2) == 0.75);
}

TEST_CASE("records are joined by id and content, by id alone where that is clear") {
  const Told told = join(
      {key(5, 50, 0), key(6, 60, 1), key(7, 70, 2), key(7, 71, 3), key(7, 71, 4), key(8, 0, 5),
       key(1, 10, 6)},
      {key(6, 61, 0), key(7, 71, 1), key(7, 72, 2), key(8, 80, 3), key(5, 50, 4), key(9, 90, 5)});
  CHECK(told.same == decltype(told.same){{0, 4}, {3, 1}, {5, 3}});
  CHECK(told.other_content == decltype(told.same){{1, 0}});
  CHECK(told.only_a == std::vector<std::uint64_t>{6, 2, 4});
  CHECK(told.only_b == std::vector<std::uint64_t>{2, 5});
  CHECK(told.repeated == std::vector<std::uint64_t>{2, 4, 2});
}

TEST_CASE("objects are compared by the names of their values") {
  const nlohmann::json a = {{"x", 1}, {"inner", {{"y", 2}, {"z", 3}}}, {"old", true}};
  const nlohmann::json b = {{"x", 1}, {"inner", {{"y", 2}, {"z", 4}}}};
  const ObjectDiff diff = compare_objects(a, b);
  CHECK(diff.same == 2);
  REQUIRE(diff.apart.size() == 2);
  CHECK(diff.apart[0].name == "inner.z");
  CHECK(diff.apart[0].b == 4);
  CHECK(diff.apart[1].name == "old");
  CHECK(diff.apart[1].b.is_null());
}

TEST_CASE("two outputs of one run are equal in every array; a row that is damaged is counted") {
  const store::test::DriverPlan plan = store::test::plan_of_three_outputs();
  FaultFiles files = two_runs(plan, plan);
  const DiffSettings settings;
  {
    const OutputDiff diff =
        compare_outputs(OutputReader(files, "a"), OutputReader(files, "b"), settings);
    CHECK(diff.equal());
    CHECK(diff.arrays.size() == 3);
    CHECK(diff.rows.joined_by() == JoinedBy::kRow);
    CHECK(diff.rows.records() == plan.records);
  }
  std::string vectors = files.content("b/embeddings.npy");
  vectors.back() = static_cast<char>(vectors.back() ^ 1);
  files.set_content("b/embeddings.npy", vectors);
  const OutputDiff diff =
      compare_outputs(OutputReader(files, "a"), OutputReader(files, "b"), settings);
  CHECK(!diff.equal());
  CHECK(diff.damaged_a.count == 0);
  CHECK(diff.damaged_b.count == 1);
  CHECK(diff.damaged_b.first.front().row == plan.records - 1);
  for (const ArrayDiff& array : diff.arrays) {
    CHECK(array.same_bits == array.vectors);
  }
}

TEST_CASE("an output that ends before the other is joined by row as far as it goes") {
  store::test::DriverPlan shorter;
  shorter.records = 12;
  FaultFiles files = two_runs({}, shorter);
  const OutputDiff diff = compare_outputs(OutputReader(files, "a"), OutputReader(files, "b"), {});
  CHECK(diff.rows.joined_by() == JoinedBy::kRow);
  CHECK(diff.rows.records() == 12);
  CHECK(diff.rows.only_a().count == store::test::DriverPlan().records - 12);
  CHECK(diff.rows.only_a().first.front().row == 12);
  CHECK(!diff.equal());
}

TEST_CASE("arrays of another dimension are not compared") {
  store::test::DriverPlan wide;
  wide.layout = store::single_vector(7, OutputDtype::kFp32, {"label", "id"});
  FaultFiles files = two_runs({}, wide);
  const OutputReader a(files, "a");
  const OutputReader b(files, "b");
  CHECK_THROWS_AS(compare_outputs(a, b, {}), Error);
}
