// `longhaul probe cv`: cross-validation of the probe on an output directory.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/text.hpp"
#include "number_checks.hpp"
#include "probe_options.hpp"
#include "score/cross_validation.hpp"
#include "score/fold_file.hpp"
#include "score/folds.hpp"
#include "terminal_text.hpp"

namespace longhaul::app {
namespace {

using nlohmann::json;

struct CvOptions {
  std::string run;
  LabelOptions labels;
  std::string folds = "10";
  std::uint32_t seed = 42;
  std::string group;  // empty: none
  std::string predictions;
  double threshold = 0.5;
  double c = 1.0;
  bool json = false;
};

struct FoldMetric {
  const char* name;
  std::function<std::optional<double>(const score::FoldResult&)> get;
};

const std::vector<FoldMetric>& fold_metrics() {
  using F = const score::FoldResult&;
  static const std::vector<FoldMetric> metrics{
      {"accuracy", [](F f) { return f.at_threshold.accuracy; }},
      {"f1", [](F f) { return f.at_threshold.f1; }},
      {"roc_auc", [](F f) { return f.ranking.roc_auc; }},
      {"average_precision", [](F f) { return f.ranking.average_precision; }},
  };
  return metrics;
}

// Of each row in use: what it may not be parted from.
std::vector<std::string> group_keys(const score::RunDirectory& run, const score::Dataset& data,
                                    const std::string& group) {
  // records.csv holds a hash of each record's residues.
  const auto column = run.column(group == "sequence" ? "hash" : group);
  if (!column) {
    throw Error(ExitCode::kUsage,
                run.path() + "/records.csv has no column '" + printable(group) + "'; there are " +
                    join(run.columns(), ", "),
                "give --group sequence, or a column kept with --keep-column");
  }
  std::vector<std::string> keys;
  for (const std::size_t row : data.rows) {
    keys.push_back((*column)[row]);
  }
  return keys;
}

// Rows in use whose sequence stands in another fold too.
std::size_t straddling_rows(const std::vector<std::string>& keys,
                            const std::vector<std::uint32_t>& folds) {
  std::unordered_map<std::string, std::pair<std::uint32_t, bool>> first;  // fold, straddles
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto [entry, is_new] = first.try_emplace(keys[i], folds[i], false);
    entry->second.second = entry->second.second || entry->second.first != folds[i];
  }
  return static_cast<std::size_t>(std::count_if(
      keys.begin(), keys.end(), [&](const std::string& key) { return first.at(key).second; }));
}

std::vector<std::uint32_t> assign_folds(const CvOptions& options, const score::RunDirectory& run,
                                        const score::Dataset& data) {
  const std::optional<std::uint64_t> count = parse_count(options.folds);
  if (!count) {
    if (!options.group.empty()) {
      throw Error(ExitCode::kUsage, "--group and a --folds file contradict each other",
                  "the file alone says which rows stay together");
    }
    return read_folds(options.folds, run, data.rows);
  }
  if (*count < 2 || *count > data.rows.size()) {
    throw Error(ExitCode::kUsage, "--folds " + options.folds + " is not between 2 and the " +
                                      format_count(data.rows.size()) + " rows");
  }
  const auto folds = static_cast<std::uint32_t>(*count);
  if (!options.group.empty()) {
    return score::grouped_folds(data.labels, group_keys(run, data, options.group), folds,
                                options.seed);
  }
  return score::stratified_folds(data.labels, folds, options.seed);
}

void warn_of_straddling(const score::RunDirectory& run, const score::Dataset& data,
                        const std::vector<std::uint32_t>& folds) {
  if (!run.column("hash")) {
    return;
  }
  const std::size_t rows = straddling_rows(group_keys(run, data, "sequence"), folds);
  if (rows > 0) {
    warn(format_count(rows) +
         " rows have a sequence that also stands in another fold, so the "
         "model is tested on sequences it was fitted on; --group sequence keeps them together");
  }
}

std::string fixed(std::optional<double> value) {
  if (!value) {
    return "undefined";
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4f", *value);
  return text.data();
}

json or_null(std::optional<double> value) {
  return value ? json(*value) : json(nullptr);
}

// Mean and deviations over the folds where the metric is defined.
std::pair<score::Spread, std::size_t> spread_over(const score::CrossValidation& result,
                                                  const FoldMetric& metric) {
  std::vector<double> values;
  for (const score::FoldResult& fold : result.folds) {
    if (const auto value = metric.get(fold)) {
      values.push_back(*value);
    }
  }
  return {score::spread_of(values), values.size()};
}

void print_table(const score::CrossValidation& result, std::size_t columns) {
  std::vector<std::vector<std::string>> rows{{"fold", "train", "test"}};
  for (const FoldMetric& metric : fold_metrics()) {
    rows.front().emplace_back(metric.name);
  }
  for (std::size_t i = 0; i < result.folds.size(); ++i) {
    const score::FoldResult& fold = result.folds[i];
    rows.push_back(
        {std::to_string(i), format_count(fold.train_rows), format_count(fold.test_rows)});
    for (const FoldMetric& metric : fold_metrics()) {
      rows.back().push_back(fixed(metric.get(fold)));
    }
  }
  std::vector<std::string> means{"mean", "", ""};
  std::vector<std::string> population{"SD (population)", "", ""};
  std::vector<std::string> sample{"SD (sample)", "", ""};
  for (const FoldMetric& metric : fold_metrics()) {
    const score::Spread spread = spread_over(result, metric).first;
    means.push_back(fixed(spread.mean));
    population.push_back(fixed(spread.population_sd));
    sample.push_back(fixed(spread.sample_sd));
  }
  rows.insert(rows.end(), {means, population, sample});
  std::cout << table(rows, columns);
}

json describe(const CvOptions& options, const score::RunDirectory& run, const score::Dataset& data,
              const score::CrossValidation& result) {
  json folds = json::array();
  for (const score::FoldResult& fold : result.folds) {
    json entry = {{"train", fold.train_rows}, {"test", fold.test_rows}};
    for (const FoldMetric& metric : fold_metrics()) {
      entry[metric.name] = or_null(metric.get(fold));
    }
    folds.push_back(std::move(entry));
  }
  json metrics = json::object();
  for (const FoldMetric& metric : fold_metrics()) {
    const auto [spread, defined] = spread_over(result, metric);
    metrics[metric.name] = {{"mean", spread.mean},
                            {"population_sd", spread.population_sd},
                            {"sample_sd", spread.sample_sd},
                            {"folds", defined}};
  }
  return {{"directory", printable(run.path(), 4096)},
          {"rows", data.rows.size()},
          {"labels", data.labels_from},
          {"left_out", to_json(data.left_out, run)},
          {"folds_from", options.folds},
          {"seed", options.seed},
          {"group", options.group.empty() ? json(nullptr) : json(options.group)},
          {"threshold", options.threshold},
          {"C", options.c},
          {"embeddings", run.origin()},
          {"folds", std::move(folds)},
          {"metrics", std::move(metrics)}};
}

void write_predictions(Files& files, const CvOptions& options, const score::RunDirectory& run,
                       const score::Dataset& data, const score::CrossValidation& result,
                       const std::vector<std::uint32_t>& folds) {
  std::string text(kCvHeader);
  for (std::size_t i = 0; i < data.rows.size(); ++i) {
    text += std::to_string(data.rows[i]) + ',' + csv_field(run.id(data.rows[i])) + ',' +
            std::to_string(folds[i]) + ',' + std::to_string(int{data.labels[i]}) + ',' +
            shortest(result.scores[i]) + (result.scores[i] > options.threshold ? ",1\n" : ",0\n");
  }
  write_atomically(files, options.predictions, text);
}

ExitCode cross_validate_run(const CvOptions& options, std::size_t columns) {
  if (!(options.c > 0)) {
    throw Error(ExitCode::kUsage, "-C must be greater than 0", "1 is the default");
  }
  const auto files = posix_files();
  if (!options.predictions.empty()) {
    require_own_predictions(*files, options.predictions);
  }
  score::RunDirectory run(*files, options.run);
  const score::Dataset data = load_training_set(run, options.labels);
  const std::vector<std::uint32_t> folds = assign_folds(options, run, data);
  if (options.group.empty()) {
    warn_of_straddling(run, data, folds);
  }
  const score::CrossValidation result =
      cross_validate(data.view(), data.labels, folds, options.threshold, {.c = options.c});
  if (!options.predictions.empty()) {
    write_predictions(*files, options, run, data, result, folds);
  }
  if (options.json) {
    std::cout << describe(options, run, data, result).dump() << '\n';
  } else {
    print_table(result, columns);
  }
  return ExitCode::kDone;
}

}  // namespace

void add_probe_cv(CLI::App& probe, Context& context) {
  const auto options = std::make_shared<CvOptions>();  // owned by the parser's callback
  CLI::App* command = probe.add_subcommand("cv", "Cross-validate a head on labelled embeddings");
  command->add_option("OUT", options->run, "a finished output directory of embed")->required();
  add_label_options(*command, options->labels);
  add_skip_unlabelled(*command, options->labels);
  command
      ->add_option("--folds", options->folds,
                   "how many stratified folds, or a CSV file with columns row (or id) and fold; "
                   "default: 10")
      ->type_name("N|FILE");
  command
      ->add_option("--seed", options->seed,
                   "of the shuffle; folds are scikit-learn's StratifiedKFold; default: 42")
      ->type_name("N")
      ->check(whole_number(0, 4'294'967'295));
  command
      ->add_option("--group", options->group,
                   "never part records with the same sequence, or with the same value of a kept "
                   "column")
      ->type_name("sequence|COLUMN");
  command->add_option("-C", options->c, "inverse strength of the penalty; default: 1")
      ->type_name("C")
      ->check(any_number());
  command
      ->add_option("--threshold", options->threshold,
                   "a score strictly above it is called positive; default: 0.5")
      ->type_name("P")
      ->check(any_number());
  command
      ->add_option("-o,--output", options->predictions,
                   "write each record's score by the model that has not seen it")
      ->type_name("PREDICTIONS.csv");
  command->add_flag("--json", options->json, "one JSON object on standard output, no table");
  command->callback([options, &context] {
    context.chosen = [options, &context] {
      return cross_validate_run(*options, stdout_columns(context.environment));
    };
  });
}

}  // namespace longhaul::app
