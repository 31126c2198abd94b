// Cross-validation of the probe: one fit per fold, tested on the rows left out of it.
// Pure; any thread. Errors are fit_logistic's.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "score/logistic.hpp"
#include "score/metrics.hpp"

namespace longhaul::score {

struct FoldResult {
  std::size_t train_rows = 0;
  std::size_t test_rows = 0;
  ThresholdMetrics at_threshold;
  RankingMetrics ranking;
};

struct CrossValidation {
  std::vector<FoldResult> folds;
  std::vector<double> scores;  // of each row, by the model that has not seen it
};

CrossValidation cross_validate(const MatrixView& x, std::span<const std::uint8_t> labels,
                               std::span<const std::uint32_t> fold_of_row, double threshold,
                               const LogisticSettings& settings);

struct Spread {
  double mean = 0;
  double population_sd = 0;  // divides by n
  double sample_sd = 0;      // divides by n - 1; NaN for one value
};
Spread spread_of(std::span<const double> values);

}  // namespace longhaul::score
