#include "score/nearest.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "base/error.hpp"

using namespace longhaul;
using namespace longhaul::score;

namespace {

constexpr std::size_t kWidth = 19;

// Few values, so that many scores are equal; some vectors are others', twice as long, or zero.
NumberedVectors vectors_of(std::size_t rows, unsigned seed, float scale = 1) {
  std::mt19937 random(seed);
  NumberedVectors vectors;
  for (std::size_t row = 0; row < rows; ++row) {
    vectors.rows.push_back(row);
    const bool copy = row > 10 && random() % 3 == 0;
    for (std::size_t i = 0; i < kWidth; ++i) {
      const float fresh = (static_cast<float>(random() % 1000) / 500 - 0.7F) * scale;
      vectors.values.push_back(copy ? vectors.values[(row % 9) * kWidth + i] : fresh);
    }
    if (row % 40 == 39) {
      std::fill(vectors.values.end() - kWidth, vectors.values.end(), 0.0F);
    }
  }
  return vectors;
}

NumberedVectors part(const NumberedVectors& all, std::size_t begin, std::size_t end) {
  const auto at = [](auto& values, std::size_t place) {
    return values.begin() + static_cast<std::ptrdiff_t>(place);
  };
  return {{at(all.values, begin * kWidth), at(all.values, end * kWidth)},
          {at(all.rows, begin), at(all.rows, end)}};
}

using Lists = std::vector<std::vector<Neighbour>>;

Lists searched(const Geometry& geometry, const NumberedVectors& queries,
               const NumberedVectors& rows, Queries of, std::size_t count, std::size_t block,
               Products& products, std::size_t threads = 1) {
  WorkerPool pool(threads);
  NearestSearch search(geometry, kWidth, count, of, products, pool);
  search.begin(make_block(geometry, kWidth, ScaledBlock::Side::kQueries, queries));
  for (std::size_t begin = 0; begin < rows.rows.size(); begin += block) {
    search.look_at(make_block(geometry, kWidth, ScaledBlock::Side::kRows,
                              part(rows, begin, std::min(begin + block, rows.rows.size()))));
  }
  Lists lists;
  for (std::size_t i = 0; i < search.queries().lengths.size(); ++i) {
    lists.push_back(search.take(i));
  }
  return lists;
}

// One by one, in float64.
Lists all_compared(const Geometry& geometry, const NumberedVectors& queries,
                   const NumberedVectors& rows, Queries of, std::size_t count) {
  const SearchBlock a = make_block(geometry, kWidth, ScaledBlock::Side::kQueries, queries);
  const SearchBlock b = make_block(geometry, kWidth, ScaledBlock::Side::kRows, rows);
  Lists lists;
  std::vector<double> wide(kWidth);
  const auto vector = [](const SearchBlock& block, std::size_t i) {
    return std::span(block.vectors.values).subspan(i * kWidth, kWidth);
  };
  for (std::size_t i = 0; i < a.lengths.size(); ++i) {
    std::vector<Neighbour>& list = lists.emplace_back();
    geometry.take_query(vector(a, i), wide);
    for (std::size_t j = 0; j < b.lengths.size(); ++j) {
      if (of == Queries::kOfOthers || a.vectors.rows[i] != b.vectors.rows[j]) {
        list.push_back(
            {geometry.key(wide, a.lengths[i], vector(b, j), b.lengths[j]), b.vectors.rows[j]});
      }
    }
    std::ranges::sort(list, nearer);
    list.resize(std::min(count, list.size()));
  }
  return lists;
}

// Products as plain ones, each of them wrong by as much.
class BentProducts : public Products {
 public:
  explicit BentProducts(float by) : by_(by) {}
  std::string device() const override { return "bent"; }
  void set_queries(const VectorBlock& queries) override { plain_->set_queries(queries); }
  void find(const VectorBlock& rows, std::span<const float> bias, std::span<const Floor> floors,
            std::size_t count, const TakeCandidates& take) override {
    plain_->find(rows, bias, floors, count, [&](std::span<const Candidate> found) {
      std::vector<Candidate> bent(found.begin(), found.end());
      for (Candidate& one : bent) {
        one.value += by_;
      }
      most_ = std::max(most_, bent.size());
      ++times_;
      take(bent);
    });
  }
  std::size_t most() const { return most_; }  // that were handed on at a time
  std::size_t times() const { return times_; }

 private:
  std::unique_ptr<Products> plain_ = plain_products();
  float by_;
  std::size_t most_ = 0;
  std::size_t times_ = 0;
};

Geometry geometry_of(Metric metric, bool centred, double greatest) {
  Geometry geometry{.metric = metric, .greatest = greatest};
  if (centred) {
    geometry.centre.assign(kWidth, 0.25);
  }
  return geometry;
}

}  // namespace

TEST_CASE("lists are those of comparing all, whatever the metric, the sizes and the blocks") {
  const Metric metric = GENERATE(Metric::kCosine, Metric::kDot, Metric::kL2);
  const bool centred = GENERATE(false, true);
  const Queries of = GENERATE(Queries::kOfTheRows, Queries::kOfOthers);
  const float scale = GENERATE(1.0F, 1e-12F, 1e15F);
  CAPTURE(metric, centred, scale);
  const NumberedVectors rows = vectors_of(700, 3, scale);
  const NumberedVectors queries =
      of == Queries::kOfTheRows ? part(rows, 100, 400) : vectors_of(90, 4, scale);
  const Geometry geometry = geometry_of(metric, centred, 1e2 * double{scale} + 10);
  const std::unique_ptr<Products> products = plain_products();
  for (const std::size_t count : {1U, 12U, 900U}) {
    const Lists expected = all_compared(geometry, queries, rows, of, count);
    for (const std::size_t block : {700U, 64U, 7U}) {
      CHECK(searched(geometry, queries, rows, of, count, block, *products, 2) == expected);
    }
  }
}

TEST_CASE("rows that come nearer and nearer are found") {
  NumberedVectors rows;
  for (std::size_t row = 0; row < 600; ++row) {
    rows.rows.push_back(row);
    for (std::size_t i = 0; i < kWidth; ++i) {
      rows.values.push_back(i == 0 ? 1.0F : 1.0F - static_cast<float>(row) / 600);
    }
  }
  NumberedVectors query{std::vector<float>(kWidth, 0.0F), {0}};
  query.values[0] = 1;
  const std::unique_ptr<Products> products = plain_products();
  const Lists lists = searched({}, query, rows, Queries::kOfOthers, 3, 200, *products);
  REQUIRE(lists.size() == 1);
  CHECK(lists[0][0].row == 599);
  CHECK(lists[0][2].row == 597);
}

TEST_CASE("vectors without direction are dropped and counted, or kept for a sample") {
  const NumberedVectors rows = vectors_of(100, 5);
  Geometry geometry;
  const auto block = [&] { return make_block(geometry, kWidth, ScaledBlock::Side::kRows, rows); };
  CHECK(block().dropped == 2);
  CHECK(block().vectors.rows.size() == 98);
  geometry.no_direction = NoDirection::kKept;
  CHECK(block().dropped == 0);
  CHECK(nearest_of_each(rows.values, 100, 4).size() == 400);
}

TEST_CASE("a device that multiplies worse than float32 is found out") {
  const NumberedVectors rows = vectors_of(300, 6);
  BentProducts exact(0);
  BentProducts bent(1e-3F);
  BentProducts broken(std::numeric_limits<float>::quiet_NaN());
  CHECK_NOTHROW(searched({}, rows, rows, Queries::kOfTheRows, 5, 100, exact));
  CHECK_THROWS_AS(searched({}, rows, rows, Queries::kOfTheRows, 5, 100, bent), Error);
  CHECK_THROWS_AS(searched({}, rows, rows, Queries::kOfTheRows, 5, 100, broken), Error);
}

TEST_CASE("however many are equally near, they are looked at again a few at a time") {
  NumberedVectors rows{std::vector<float>(3000 * kWidth, 1.0F), std::vector<std::uint64_t>(3000)};
  std::iota(rows.rows.begin(), rows.rows.end(), std::uint64_t{0});
  BentProducts products(0);
  const Lists lists = searched({}, rows, rows, Queries::kOfTheRows, 2, 3000, products, 2);
  CHECK(products.times() > 2);
  CHECK(products.most() <= kMostHeld + kMostTile);
  REQUIRE(lists.size() == 3000);
  for (std::size_t row = 0; row < lists.size(); ++row) {
    const std::uint64_t first = row == 0 ? 1 : 0;
    const std::uint64_t second = row <= 1 ? 2 : 1;
    REQUIRE(lists[row].size() == 2);
    REQUIRE(lists[row][0].row == first);
    REQUIRE(lists[row][1].row == second);
  }
}
