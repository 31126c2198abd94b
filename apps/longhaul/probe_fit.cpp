// `longhaul probe fit`: fits a head on the labelled vectors of an output directory.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "number_checks.hpp"
#include "probe_options.hpp"
#include "score/head.hpp"
#include "score/logistic.hpp"
#include "version.hpp"

namespace longhaul::app {
namespace {

using nlohmann::json;

struct FitOptions {
  std::string run;
  std::string head;
  LabelOptions labels;
  double c = 1.0;
  bool json = false;
};

json describe_solution(const score::LogisticModel& model, const FitOptions& options) {
  return {{"C", options.c},
          {"penalty", "l2"},
          {"intercept", "not penalised"},
          {"scaling", "none"},
          {"gradient_norm", model.gradient_norm},
          {"evaluations", model.evaluations},
          {"newton_steps", model.newton_steps},
          {"constant_columns", model.constant_columns}};
}

json describe_training(const score::RunDirectory& run, const score::Dataset& data) {
  const auto positives = std::count(data.labels.begin(), data.labels.end(), 1);
  json training = {{"directory", printable(run.path(), 4096)},
                   {"labels", data.labels_from},
                   {"rows", data.rows.size()},
                   {"positives", positives},
                   {"negatives", data.labels.size() - static_cast<std::size_t>(positives)},
                   {"left_out", to_json(data.left_out, run)},
                   {"model", run.report().value("model", json(nullptr))},
                   {"fingerprint", run.report().value("fingerprint", json(nullptr))}};
  // One hash per row stands in that file: its own hash names the very vectors.
  if (run.output().has(store::store_files::kChecksums)) {
    training["checksums_sha256"] =
        sha256_file(run.output().path_of(store::store_files::kChecksums));
  }
  return training;
}

ExitCode fit(const FitOptions& options) {
  if (!(options.c > 0)) {
    throw Error(ExitCode::kUsage, "-C must be greater than 0", "1 is the default");
  }
  const auto files = posix_files();
  score::require_own_head(*files, options.head);
  score::RunDirectory run(*files, options.run);
  const score::Dataset data = load_training_set(run, options.labels);
  const score::LogisticModel model = fit_logistic(data.view(), data.labels, {.c = options.c});
  if (!model.constant_columns.empty()) {
    warn(format_count(model.constant_columns.size()) + " of " + format_count(data.dimension) +
         " columns hold the same value in every row and have no weight (the first is column " +
         std::to_string(model.constant_columns.front()) + ")");
  }
  const json origin = run.origin();
  if (!origin.contains("model_sha256")) {
    warn(options.run +
         "/run.json does not say which model made the vectors; neither will the head");
  }
  score::Head head{model.coefficients, model.intercept, {}};
  head.provenance = {{"head", 1},
                     {"longhaul", versions()},
                     {"embeddings", origin},
                     {"training", describe_training(run, data)},
                     {"fit", describe_solution(model, options)}};
  write_head(*files, options.head, head);
  say("fitted " + options.head + " on " + format_count(data.rows.size()) + " rows of " +
      options.run + " (" + data.labels_from + "), gradient norm " +
      short_number(model.gradient_norm));
  if (options.json) {
    json summary = *head.provenance;
    summary["head"] = printable(options.head, 4096);
    std::cout << summary.dump() << '\n';
  }
  return ExitCode::kDone;
}

}  // namespace

void add_probe_fit(CLI::App& probe, Context& context) {
  const auto options = std::make_shared<FitOptions>();  // owned by the parser's callback
  CLI::App* command = probe.add_subcommand("fit", "Fit a head on labelled embeddings");
  command->add_option("OUT", options->run, "a finished output directory of embed")->required();
  command
      ->add_option("-o,--output", options->head, "the head to write: HEAD.npz, and HEAD.npz.json")
      ->type_name("HEAD.npz")
      ->required();
  add_label_options(*command, options->labels);
  add_skip_unlabelled(*command, options->labels);
  command->add_option("-C", options->c, "inverse strength of the penalty; default: 1")
      ->type_name("C")
      ->check(any_number());
  command->add_flag("--json", options->json, "one JSON summary on standard output");
  command->callback([options, &context] { context.chosen = [options] { return fit(*options); }; });
}

}  // namespace longhaul::app
