#include "score/metrics.hpp"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace longhaul::score {
namespace {

std::optional<double> ratio(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) {
    return std::nullopt;
  }
  return static_cast<double>(part) / static_cast<double>(whole);
}

double matthews(const Confusion& c) {
  const auto tn = static_cast<double>(c.true_negative);
  const auto fp = static_cast<double>(c.false_positive);
  const auto fn = static_cast<double>(c.false_negative);
  const auto tp = static_cast<double>(c.true_positive);
  // Two square roots: the product of all four sums overflows no double, but the product of two
  // pairs keeps more digits.
  const double spread = std::sqrt((tp + fp) * (tn + fn)) * std::sqrt((tp + fn) * (tn + fp));
  return spread == 0 ? 0 : (tp * tn - fp * fn) / spread;
}

}  // namespace

Confusion confusion_at(std::span<const std::uint8_t> truth, std::span<const double> scores,
                       double threshold) {
  Confusion c;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const bool called = scores[i] > threshold;
    if (truth[i] != 0) {
      ++(called ? c.true_positive : c.false_negative);
    } else {
      ++(called ? c.false_positive : c.true_negative);
    }
  }
  return c;
}

ThresholdMetrics metrics_of(const Confusion& c) {
  ThresholdMetrics m;
  m.accuracy = ratio(c.correct(), c.total());
  m.precision = ratio(c.true_positive, c.true_positive + c.false_positive);
  m.recall = ratio(c.true_positive, c.positives());
  m.specificity = ratio(c.true_negative, c.negatives());
  m.f1 = ratio(2 * c.true_positive, 2 * c.true_positive + c.false_positive + c.false_negative);
  if (m.recall && m.specificity) {
    m.balanced_accuracy = (*m.recall + *m.specificity) / 2;
  }
  m.mcc = matthews(c);
  return m;
}

RankingMetrics ranking_metrics(std::span<const std::uint8_t> truth,
                               std::span<const double> scores) {
  std::vector<std::pair<double, std::uint8_t>> ranked(truth.size());
  for (std::size_t i = 0; i < ranked.size(); ++i) {
    ranked[i] = {scores[i], truth[i]};
  }
  std::sort(ranked.begin(), ranked.end(),
            [](const auto& a, const auto& b) { return a.first > b.first; });
  const auto positives = static_cast<std::uint64_t>(
      std::count_if(truth.begin(), truth.end(), [](std::uint8_t t) { return t != 0; }));
  const std::uint64_t negatives = truth.size() - positives;

  std::uint64_t above_positives = 0;  // true positives at this threshold
  std::uint64_t above_negatives = 0;
  // Twice the number of (positive, negative) pairs in the right order, a tie counting one: whole
  // numbers, so the area is exact to its one division.
  std::uint64_t twice_ordered_pairs = 0;
  double precision_sum = 0;
  for (std::size_t i = 0; i < ranked.size();) {
    std::uint64_t tied_positives = 0;
    std::uint64_t tied_negatives = 0;
    for (const double score = ranked[i].first; i < ranked.size() && ranked[i].first == score; ++i) {
      ++(ranked[i].second != 0 ? tied_positives : tied_negatives);
    }
    twice_ordered_pairs += tied_negatives * (2 * above_positives + tied_positives);
    above_positives += tied_positives;
    above_negatives += tied_negatives;
    precision_sum += static_cast<double>(tied_positives) * static_cast<double>(above_positives) /
                     static_cast<double>(above_positives + above_negatives);
  }

  RankingMetrics m;
  if (positives > 0 && negatives > 0) {
    m.roc_auc = static_cast<double>(twice_ordered_pairs) /
                (2.0 * static_cast<double>(positives) * static_cast<double>(negatives));
  }
  if (positives > 0) {
    m.average_precision = precision_sum / static_cast<double>(positives);
  }
  return m;
}

std::optional<Interval> exact_binomial_interval(std::uint64_t successes, std::uint64_t trials,
                                                double confidence) {
  if (trials == 0) {
    return std::nullopt;
  }
  using Binomial = boost::math::binomial_distribution<double>;
  const double tail = (1 - confidence) / 2;
  const auto n = static_cast<double>(trials);
  const auto k = static_cast<double>(successes);
  Interval interval;
  if (successes > 0) {
    interval.low = Binomial::find_lower_bound_on_p(n, k, tail);
  }
  if (successes < trials) {
    interval.high = Binomial::find_upper_bound_on_p(n, k, tail);
  }
  return interval;
}

}  // namespace longhaul::score
