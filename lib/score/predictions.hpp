// Predictions as a CSV file: one row per record with its truth (0 or 1) and its score.
// Pure but for reading the file; any thread. A row without a label or a finite score is an
// Error(kBadData) that names its line; columns that cannot be told are Error(kUsage).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul::score {

struct Predictions {
  std::string truth_column;
  std::string score_column;
  std::vector<std::uint8_t> truth;
  std::vector<double> scores;
};

// Without names: y_true or label, and y_proba, prob_nonspecific or score; both of a kind is an
// error that asks.
Predictions read_predictions(const std::string& path,
                             const std::optional<std::string>& truth_column,
                             const std::optional<std::string>& score_column);

// "0", "1", "0.0", "1.0": a label of a two-class task. Nothing for any other text.
std::optional<std::uint8_t> parse_label(std::string_view text);

}  // namespace longhaul::score
