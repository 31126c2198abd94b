#include "encode/pooling.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

using namespace longhaul;
using namespace longhaul::encode;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Alphabet with_both_ends() {
  Alphabet alphabet;
  alphabet.prepend = 1;
  alphabet.append = 2;
  return alphabet;
}

// Two rows of width 5, one number per token: 3 residues (full width) and 1 residue.
// Row 0: ^ 1 2 6 $       Row 1: ^ 10 $ - -
const std::vector<float> kHidden{100, 1, 2, 6, 200, 300, 10, 40, 500, 600};

HostBatch two_rows() {
  HostBatch batch;
  batch.rows = batch.used_rows = 2;
  batch.width = 5;
  batch.lengths = {5, 3};
  return batch;
}

std::vector<float> pool(Pooling pooling, const Alphabet& alphabet = with_both_ends()) {
  return pool_tokens(kHidden, two_rows(), 1, pooling, alphabet);
}

}  // namespace

TEST_CASE("mean averages residues alone") {
  CHECK(pool(Pooling::kMean) == std::vector<float>{3, 10});
}

TEST_CASE("mean without special tokens averages every token") {
  CHECK(pool(Pooling::kMean, Alphabet{})[1] == Approx(350.0 / 3));
}

TEST_CASE("mean-compat keeps the appended token of rows shorter than their batch") {
  // Row 0 ends in the batch's last column, which is dropped; row 1's appended token stays.
  CHECK(pool(Pooling::kMeanCompat) == std::vector<float>{3, 25});
}

TEST_CASE("max and cls") {
  CHECK(pool(Pooling::kMax) == std::vector<float>{6, 10});
  CHECK(pool(Pooling::kCls) == std::vector<float>{100, 300});
}

TEST_CASE("a row with nothing to pool is NaN, never zero") {
  HostBatch batch = two_rows();
  batch.lengths = {5, 2};
  const std::vector<float> pooled =
      pool_tokens(kHidden, batch, 1, Pooling::kMean, with_both_ends());
  CHECK(pooled[0] == 3);
  CHECK(std::isnan(pooled[1]));
}

TEST_CASE("a NaN among the states reaches the vector") {
  std::vector<float> hidden = kHidden;
  hidden[2] = kNan;
  for (const Pooling pooling : {Pooling::kMean, Pooling::kMax, Pooling::kMeanCompat}) {
    CHECK(std::isnan(pool_tokens(hidden, two_rows(), 1, pooling, with_both_ends())[0]));
  }
}

TEST_CASE("dummy rows are not pooled") {
  HostBatch batch = two_rows();
  batch.used_rows = 1;
  CHECK(pool_tokens(kHidden, batch, 1, Pooling::kMean, with_both_ends()).size() == 1);
}

TEST_CASE("normalising gives length 1 and never a zero vector") {
  std::vector<float> values{3, 4, 0, 0};
  normalize_rows(values, 2);
  CHECK(values[0] == Approx(0.6));
  CHECK(values[1] == Approx(0.8));
  CHECK(std::isnan(values[2]));
  CHECK(std::isnan(values[3]));
}
