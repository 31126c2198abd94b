#include "score/cross_validation.hpp"

#include <algorithm>
#include <cmath>

namespace longhaul::score {

CrossValidation cross_validate(const MatrixView& x, std::span<const std::uint8_t> labels,
                               std::span<const std::uint32_t> fold_of_row, double threshold,
                               const LogisticSettings& settings) {
  CrossValidation result;
  result.scores.resize(x.rows);
  const std::uint32_t folds =
      x.rows == 0 ? 0 : *std::max_element(fold_of_row.begin(), fold_of_row.end()) + 1;
  for (std::uint32_t fold = 0; fold < folds; ++fold) {
    std::vector<double> train;
    std::vector<std::uint8_t> train_labels;
    std::vector<std::size_t> test_rows;
    for (std::size_t row = 0; row < x.rows; ++row) {
      const std::span<const double> vector = x.values.subspan(row * x.columns, x.columns);
      if (fold_of_row[row] == fold) {
        test_rows.push_back(row);
      } else {
        train.insert(train.end(), vector.begin(), vector.end());
        train_labels.push_back(labels[row]);
      }
    }
    const LogisticModel model =
        fit_logistic({train, train_labels.size(), x.columns}, train_labels, settings);

    std::vector<std::uint8_t> truth;
    std::vector<double> scores;
    for (const std::size_t row : test_rows) {
      truth.push_back(labels[row]);
      scores.push_back(logistic(decision(model.coefficients, model.intercept,
                                         x.values.subspan(row * x.columns, x.columns))));
      result.scores[row] = scores.back();
    }
    result.folds.push_back({.train_rows = train_labels.size(),
                            .test_rows = test_rows.size(),
                            .at_threshold = metrics_of(confusion_at(truth, scores, threshold)),
                            .ranking = ranking_metrics(truth, scores)});
  }
  return result;
}

Spread spread_of(std::span<const double> values) {
  Spread spread;
  const auto n = static_cast<double>(values.size());
  for (const double value : values) {
    spread.mean += value / n;
  }
  double squares = 0;
  for (const double value : values) {
    squares += (value - spread.mean) * (value - spread.mean);
  }
  spread.population_sd = std::sqrt(squares / n);
  spread.sample_sd = std::sqrt(squares / (n - 1));
  return spread;
}

}  // namespace longhaul::score
