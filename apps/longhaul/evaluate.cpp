// `longhaul evaluate`: metrics of a predictions file.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "command.hpp"
#include "score/metrics.hpp"
#include "score/predictions.hpp"
#include "terminal_text.hpp"

namespace longhaul::app {
namespace {

using nlohmann::json;

constexpr double kDefaultThreshold = 0.5;

// Files of predictions whose figures docs/reproducing.md has.
struct KnownFile {
  std::string_view sha256;
  std::string_view name;
};
constexpr std::array<KnownFile, 4> kKnownFiles{
    {{"b6d4f7befb8fc3f2cf4b092ad810ef4f191e86013cf38b0c5b02da9094d6c931",
      "the original pipeline's, ESM-1v, Jain (the other 86)"},
     {"5a28af85bc17de579521295a65a1aefd7b218fedc0415465ed8fe3aa62bf9496",
      "the original pipeline's, ESM-1v, Jain (P5e-S2)"},
     {"0809e4cd948b1186b0d5709fd1a648628e309e0f627301ee8eab90ba789272d0",
      "the original pipeline's, ESM-1v, Shehata"},
     {"b45c8dd2c1f991923dea9051d66b9eab79192a2bfa09d9db3e4b90efd5f8a058",
      "the original pipeline's, ESM-1v, Harvey"}}};

// What is read once, such as a pipe, has none.
std::optional<std::string> digest_of(const std::string& path) {
  std::error_code failed;
  return std::filesystem::is_regular_file(path, failed) ? std::optional(sha256_file(path))
                                                        : std::nullopt;
}

std::optional<std::string> known_name(const std::optional<std::string>& digest) {
  for (const KnownFile& file : kKnownFiles) {
    if (digest == file.sha256) {
      return std::string(file.name);
    }
  }
  return std::nullopt;
}

struct EvaluateOptions {
  std::string predictions;
  std::optional<std::string> truth_column;
  std::optional<std::string> score_column;
  std::vector<double> thresholds;
  std::string config;
  bool json = false;
};

struct AtThreshold {
  double threshold = 0;
  score::Confusion confusion;
  score::ThresholdMetrics metrics;
  std::optional<score::Interval> accuracy_interval;
};

// One metric as it is named in the JSON, and how to get it.
struct NamedMetric {
  const char* name;
  std::function<std::optional<double>(const score::ThresholdMetrics&)> get;
};

const std::vector<NamedMetric>& named_metrics() {
  using M = const score::ThresholdMetrics&;
  static const std::vector<NamedMetric> metrics{
      {"accuracy", [](M m) { return m.accuracy; }},
      {"precision", [](M m) { return m.precision; }},
      {"recall", [](M m) { return m.recall; }},
      {"specificity", [](M m) { return m.specificity; }},
      {"f1", [](M m) { return m.f1; }},
      {"balanced_accuracy", [](M m) { return m.balanced_accuracy; }},
      {"mcc", [](M m) { return std::optional<double>(m.mcc); }},
  };
  return metrics;
}

json or_null(std::optional<double> value) {
  return value ? json(*value) : json(nullptr);
}

json confusion_json(const score::Confusion& c) {
  return {{c.true_negative, c.false_positive}, {c.false_negative, c.true_positive}};
}

[[noreturn]] void refuse_config(const std::string& file, const std::string& what) {
  throw Error(ExitCode::kUsage, file + ": " + what,
              "allowed: description, threshold (a number or a list), truth-column, score-column, "
              "json");
}

// Values of the --config file for what no flag gave. Keys are the flags' long names.
void apply_config(EvaluateOptions& options) {
  std::ifstream file(options.config);
  if (!file) {
    throw Error(ExitCode::kIo, "cannot open " + options.config, "check the path");
  }
  const json config = json::parse(file, nullptr, false);
  if (!config.is_object()) {
    refuse_config(options.config, "not a JSON object");
  }
  const bool flag_gave_thresholds = !options.thresholds.empty();
  for (const auto& [key, value] : config.items()) {
    if (key == "threshold" && (value.is_number() || value.is_array())) {
      for (const json& one : value.is_array() ? value : json::array({value})) {
        if (!one.is_number()) {
          refuse_config(options.config, "threshold " + one.dump() + " is not a number");
        }
        if (!flag_gave_thresholds) {
          options.thresholds.push_back(one.get<double>());
        }
      }
    } else if (key == "truth-column" && value.is_string()) {
      options.truth_column = options.truth_column.value_or(value.get<std::string>());
    } else if (key == "score-column" && value.is_string()) {
      options.score_column = options.score_column.value_or(value.get<std::string>());
    } else if (key == "json" && value.is_boolean()) {
      options.json = options.json || value.get<bool>();
    } else if (key != "description") {
      refuse_config(options.config, "'" + printable(key) + "' with value " + value.dump());
    }
  }
}

AtThreshold measure(const score::Predictions& predictions, double threshold) {
  AtThreshold at;
  at.threshold = threshold;
  at.confusion = score::confusion_at(predictions.truth, predictions.scores, threshold);
  at.metrics = metrics_of(at.confusion);
  at.accuracy_interval =
      score::exact_binomial_interval(at.confusion.correct(), at.confusion.total());
  return at;
}

json to_json(const AtThreshold& at) {
  json out = {{"threshold", at.threshold}, {"confusion", confusion_json(at.confusion)}};
  for (const NamedMetric& metric : named_metrics()) {
    out[metric.name] = or_null(metric.get(at.metrics));
  }
  out["accuracy_interval"] = at.accuracy_interval
                                 ? json{at.accuracy_interval->low, at.accuracy_interval->high}
                                 : json(nullptr);
  return out;
}

std::string fixed(std::optional<double> value) {
  if (!value) {
    return "undefined";
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4f", *value);
  return text.data();
}

void print_table(const EvaluateOptions& options, const score::Predictions& predictions,
                 const score::RankingMetrics& ranking, const std::vector<AtThreshold>& results,
                 std::size_t columns) {
  const score::Confusion& any = results.front().confusion;
  const std::string head = options.predictions + ": " + format_count(any.total()) + " rows, " +
                           format_count(any.positives()) + " positive and " +
                           format_count(any.negatives()) + " negative (" +
                           predictions.truth_column + "), scores from " + predictions.score_column;
  std::cout << filled(head, columns, 2, 0) << '\n';
  const std::optional<std::string> known = known_name(digest_of(options.predictions));
  std::cout << filled(known ? "these are " + *known
                            : "none of the files whose figures docs/reproducing.md has",
                      columns, 2, 0)
            << "\n\n";
  std::vector<std::vector<std::string>> rows;
  const auto row = [&](const std::string& name, const auto& cell) {
    rows.push_back({name});
    for (const AtThreshold& at : results) {
      rows.back().push_back(cell(at));
    }
  };
  row("called positive above", [](const AtThreshold& at) { return json(at.threshold).dump(); });
  row("[[TN,FP],[FN,TP]]",
      [](const AtThreshold& at) { return confusion_json(at.confusion).dump(); });
  for (const NamedMetric& metric : named_metrics()) {
    std::string name = metric.name;
    std::replace(name.begin(), name.end(), '_', ' ');
    row(name, [&](const AtThreshold& at) { return fixed(metric.get(at.metrics)); });
    if (name == "accuracy") {
      row("  95 % interval (exact)", [](const AtThreshold& at) {
        return fixed(at.accuracy_interval->low) + " to " + fixed(at.accuracy_interval->high);
      });
    }
  }
  std::cout << table(rows, columns);
  std::cout << "\nover all thresholds:  ROC-AUC " << fixed(ranking.roc_auc)
            << ", average precision " << fixed(ranking.average_precision) << '\n';
}

ExitCode evaluate(EvaluateOptions options, std::size_t columns) {
  if (!options.config.empty()) {
    apply_config(options);
  }
  if (options.thresholds.empty()) {
    options.thresholds.push_back(kDefaultThreshold);
  }
  if (!std::all_of(options.thresholds.begin(), options.thresholds.end(),
                   [](double t) { return std::isfinite(t); })) {
    throw Error(ExitCode::kUsage, "--threshold is not a finite number",
                "give a number such as 0.5");
  }
  const score::Predictions predictions =
      score::read_predictions(options.predictions, options.truth_column, options.score_column);
  const score::RankingMetrics ranking =
      score::ranking_metrics(predictions.truth, predictions.scores);
  std::vector<AtThreshold> results;
  for (const double threshold : options.thresholds) {
    results.push_back(measure(predictions, threshold));
  }
  const score::Confusion& any = results.front().confusion;
  if (any.positives() == 0 || any.negatives() == 0) {
    std::cerr << "warning: every " << predictions.truth_column << " is "
              << (any.positives() == 0 ? 0 : 1)
              << "; what needs both classes is undefined (null in --json)\n";
  }
  if (!options.json) {
    print_table(options, predictions, ranking, results, columns);
    return ExitCode::kDone;
  }
  json at = json::array();
  for (const AtThreshold& result : results) {
    at.push_back(to_json(result));
  }
  const std::optional<std::string> digest = digest_of(options.predictions);
  const std::optional<std::string> known = known_name(digest);
  const json out = {{"predictions", printable(options.predictions, 4096)},
                    {"sha256", digest ? json(*digest) : json(nullptr)},
                    {"known_as", known ? json(*known) : json(nullptr)},
                    {"rows", any.total()},
                    {"positives", any.positives()},
                    {"negatives", any.negatives()},
                    {"truth_column", predictions.truth_column},
                    {"score_column", predictions.score_column},
                    {"roc_auc", or_null(ranking.roc_auc)},
                    {"average_precision", or_null(ranking.average_precision)},
                    {"interval_confidence", 0.95},
                    {"thresholds", std::move(at)}};
  std::cout << out.dump() << '\n';
  return ExitCode::kDone;
}

}  // namespace

void add_evaluate(CLI::App& app, Context& context) {
  const auto options = std::make_shared<EvaluateOptions>();  // owned by the parser's callback
  CLI::App* command = app.add_subcommand("evaluate", "Metrics of a predictions file");
  command->add_option("PREDICTIONS", options->predictions, "CSV with a truth (0 or 1) and a score")
      ->required();
  command->add_option("--truth-column", options->truth_column,
                      "column of the truth; default: y_true, else label");
  command->add_option("--score-column", options->score_column,
                      "column of the score; default: y_proba, prob_nonspecific or score");
  command
      ->add_option("--threshold", options->thresholds,
                   "a score strictly above it is called positive; repeatable; default 0.5")
      ->type_name("T")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  command->add_option("--config", options->config,
                      "JSON file with these flags' long names as keys");
  command->add_flag("--json", options->json, "one JSON object on standard output, no table");
  command->callback([options, &context] {
    context.chosen = [options, &context] {
      return evaluate(*options, stdout_columns(context.environment));
    };
  });
}

}  // namespace longhaul::app
