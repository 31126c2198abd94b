#include "score/metrics.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace longhaul;
using namespace longhaul::score;

namespace {
const std::vector<std::uint8_t> kTruth{0, 0, 1, 1, 1, 0, 1, 0};
const std::vector<double> kScores{.1, .4, .35, .8, .4, .4, .9, .95};
}  // namespace

// Expected values: scikit-learn 1.9.1 and scipy 1.17.1.
TEST_CASE("a score equal to the threshold is not called positive") {
  const Confusion c = confusion_at(kTruth, kScores, 0.4);
  CHECK(c.true_negative == 3);
  CHECK(c.false_positive == 1);
  CHECK(c.false_negative == 2);
  CHECK(c.true_positive == 2);
}

TEST_CASE("threshold metrics follow from the confusion matrix") {
  const ThresholdMetrics m = metrics_of({3, 1, 2, 2});
  CHECK(*m.accuracy == 5.0 / 8);
  CHECK(*m.precision == 2.0 / 3);
  CHECK(*m.recall == 0.5);
  CHECK(*m.specificity == 0.75);
  CHECK(*m.f1 == Approx(4.0 / 7).epsilon(1e-15));
  CHECK(*m.balanced_accuracy == 0.625);
  CHECK(m.mcc == Approx(0.2581988897471611).epsilon(1e-14));
}

TEST_CASE("metrics without a denominator are undefined, Matthews' is 0") {
  const ThresholdMetrics nothing_called = metrics_of({5, 0, 3, 0});
  CHECK_FALSE(nothing_called.precision);
  CHECK(*nothing_called.recall == 0);
  CHECK(*nothing_called.f1 == 0);
  CHECK(nothing_called.mcc == 0);

  const ThresholdMetrics no_positives = metrics_of({4, 1, 0, 0});
  CHECK_FALSE(no_positives.recall);
  CHECK_FALSE(no_positives.balanced_accuracy);
  CHECK(*no_positives.specificity == 0.8);

  const ThresholdMetrics nothing = metrics_of({});
  CHECK_FALSE(nothing.accuracy);
  CHECK_FALSE(nothing.f1);
}

TEST_CASE("tied scores count half for ROC-AUC and share one step of average precision") {
  const RankingMetrics m = ranking_metrics(kTruth, kScores);
  CHECK(*m.roc_auc == 0.5625);
  CHECK(*m.average_precision == Approx(0.5595238095238095).epsilon(1e-14));

  const std::vector<double> all_tied(8, 0.5);
  CHECK(*ranking_metrics(kTruth, all_tied).roc_auc == 0.5);
  CHECK(*ranking_metrics(kTruth, all_tied).average_precision == 0.5);
}

TEST_CASE("ranking metrics need both classes") {
  const std::vector<double> scores{.1, .2, .3};
  const RankingMetrics negatives = ranking_metrics(std::vector<std::uint8_t>{0, 0, 0}, scores);
  CHECK_FALSE(negatives.roc_auc);
  CHECK_FALSE(negatives.average_precision);
  const RankingMetrics positives = ranking_metrics(std::vector<std::uint8_t>{1, 1, 1}, scores);
  CHECK_FALSE(positives.roc_auc);
  CHECK(*positives.average_precision == 1);
}

TEST_CASE("the binomial interval is Clopper and Pearson's") {
  const auto check = [](std::uint64_t k, std::uint64_t n, double low, double high) {
    const auto interval = exact_binomial_interval(k, n);
    REQUIRE(interval);
    CHECK(interval->low == Approx(low).epsilon(1e-12).margin(1e-15));
    CHECK(interval->high == Approx(high).epsilon(1e-12));
  };
  check(55, 86, 0.5288349473371349, 0.7403257133495523);
  check(0, 10, 0, 0.30849710781876294);
  check(10, 10, 0.6915028921812371, 1);
  check(83376, 141021, 0.5886598878830275, 0.593798546932331);
  check(1, 3, 0.008403758659612647, 0.9057006759492866);
  CHECK_FALSE(exact_binomial_interval(0, 0));
}
