// Metrics of a binary classifier's scores: confusion matrix and what follows from it at a
// threshold, ROC-AUC and average precision over all thresholds, and an exact interval.
// Pure functions; any thread. Nothing here throws: a metric whose denominator is zero is nullopt
// (scikit-learn's zero_division=nan), but for Matthews' coefficient, which is 0 then, as in
// scikit-learn.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace longhaul::score {

struct Confusion {
  std::uint64_t true_negative = 0;
  std::uint64_t false_positive = 0;
  std::uint64_t false_negative = 0;
  std::uint64_t true_positive = 0;

  std::uint64_t negatives() const { return true_negative + false_positive; }
  std::uint64_t positives() const { return false_negative + true_positive; }
  std::uint64_t total() const { return negatives() + positives(); }
  std::uint64_t correct() const { return true_negative + true_positive; }
};

struct ThresholdMetrics {
  std::optional<double> accuracy;
  std::optional<double> precision;    // of what was called positive
  std::optional<double> recall;       // of what is positive
  std::optional<double> specificity;  // of what is negative
  std::optional<double> f1;
  std::optional<double> balanced_accuracy;  // mean of recall and specificity
  double mcc = 0;
};

struct Interval {
  double low = 0;
  double high = 1;
};

// truth[i] is 0 or 1; a score is called positive when it is strictly greater than the threshold.
// Both spans have the same length; no score is NaN.
Confusion confusion_at(std::span<const std::uint8_t> truth, std::span<const double> scores,
                       double threshold);
ThresholdMetrics metrics_of(const Confusion& confusion);

struct RankingMetrics {
  std::optional<double> roc_auc;            // tied scores count half (midranks)
  std::optional<double> average_precision;  // sum of (recall step) x precision, not a trapezoid
};
RankingMetrics ranking_metrics(std::span<const std::uint8_t> truth, std::span<const double> scores);

// Clopper-Pearson: the exact binomial interval of `successes` in `trials`, two-sided.
std::optional<Interval> exact_binomial_interval(std::uint64_t successes, std::uint64_t trials,
                                                double confidence = 0.95);

}  // namespace longhaul::score
