#include "score/predictions.hpp"

#include <cmath>

#include "base/error.hpp"
#include "base/text.hpp"
#include "score/table.hpp"

namespace longhaul::score {
namespace {

std::size_t choose_column(const CsvReader& table, const std::optional<std::string>& named,
                          const std::vector<std::string>& usual, const std::string& flag) {
  if (named) {
    return require_column(table, *named, flag);
  }
  std::optional<std::size_t> chosen;
  for (const std::string& name : usual) {
    const std::optional<std::size_t> found = table.find(name);
    if (found && chosen) {
      throw Error(
          ExitCode::kUsage,
          "both column '" + table.columns()[*chosen] + "' and column '" + name + "' could be meant",
          "name one with " + flag);
    }
    if (found) {
      chosen = found;
    }
  }
  if (!chosen) {
    throw Error(ExitCode::kUsage,
                "none of the columns is named " + join(usual, " or ") + "; there are " +
                    join(table.columns(), ", "),
                "name one with " + flag);
  }
  return *chosen;
}

}  // namespace

std::optional<std::uint8_t> parse_label(std::string_view text) {
  if (text.size() == 1 && (text[0] == '0' || text[0] == '1')) {
    return text[0] == '1' ? 1 : 0;
  }
  const std::optional<double> value = parse_number(text);
  if (value == 0.0 || value == 1.0) {
    return *value != 0 ? 1 : 0;
  }
  return std::nullopt;
}

Predictions read_predictions(const std::string& path,
                             const std::optional<std::string>& truth_column,
                             const std::optional<std::string>& score_column) {
  CsvReader table = open_table(path);
  const std::size_t truth_at =
      choose_column(table, truth_column, {"y_true", "label"}, "--truth-column");
  const std::size_t score_at = choose_column(
      table, score_column, {"y_proba", "prob_nonspecific", "score"}, "--score-column");
  Predictions predictions;
  predictions.truth_column = table.columns()[truth_at];
  predictions.score_column = table.columns()[score_at];
  while (table.next()) {
    const std::string_view truth = table.field(truth_at);
    const std::optional<std::uint8_t> label = parse_label(truth);
    if (!label) {
      throw Error(ExitCode::kBadData,
                  table.where() + ": " + predictions.truth_column + " is '" + printable(truth) +
                      "', not 0 or 1",
                  "give every row its label, or name another column with --truth-column");
    }
    const std::string_view text = table.field(score_at);
    const std::optional<double> score = parse_number(text);
    if (!score || !std::isfinite(*score)) {
      throw Error(ExitCode::kBadData,
                  table.where() + ": " + predictions.score_column + " is '" + printable(text) +
                      "', not a finite number",
                  "give every row its score, or name another column with --score-column");
    }
    predictions.truth.push_back(*label);
    predictions.scores.push_back(*score);
  }
  if (predictions.truth.empty()) {
    throw Error(ExitCode::kBadData, path + " holds no predictions, only a header");
  }
  return predictions;
}

}  // namespace longhaul::score
