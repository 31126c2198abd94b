// `longhaul probe predict`: scores of a head on the vectors of an output directory.
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
#include "score/provenance.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::app {
namespace {

using nlohmann::json;

constexpr std::size_t kBlockRows = 4096;

struct PredictOptions {
  std::string head;
  std::string run;
  std::string output;
  LabelOptions labels;
  bool label_asked = false;  // --label or --labels was given: the truth must be there
  double threshold = 0.5;
  bool allow_mismatch = false;
  bool json = false;
};

// Refuses a head that belongs to other embeddings than these.
void check_match(Files& files, const PredictOptions& options, const score::Head& head,
                 const score::RunDirectory& run) {
  if (head.coefficients.size() != run.dimension()) {
    throw Error(ExitCode::kBadData,
                options.head + " is for vectors of " + std::to_string(head.coefficients.size()) +
                    " components, " + options.run + " holds vectors of " +
                    std::to_string(run.dimension()),
                "embed with the model that the head was fitted on");
  }
  if (!head.provenance) {
    warn(options.head + " has no provenance: nothing shows that it belongs to these embeddings");
    return;
  }
  const score::OriginComparison comparison =
      score::compare_origins(head.provenance->value("embeddings", json(nullptr)), run.origin());
  const json fitted = head.provenance->value(json::json_pointer("/training"), json::object());
  const std::string checksums = run.path() + "/" + store::store_files::kChecksums;
  if (fitted.is_object() && fitted.contains("checksums_sha256") && files.exists(checksums) &&
      fitted.at("checksums_sha256") == sha256_file(checksums)) {
    warn(options.head +
         " was fitted on rows of these very embeddings: their scores do not tell how "
         "good it is (longhaul probe cv does)");
  }
  for (const std::string& remark : comparison.remarks) {
    warn(remark);
  }
  if (comparison.conflicts.empty()) {
    return;
  }
  const std::string what = options.head + " was not fitted on embeddings like these: " +
                           join(comparison.conflicts, "; ");
  if (!options.allow_mismatch) {
    throw Error(ExitCode::kBadData, what,
                "embed with the head's model and settings, or give --allow-mismatch");
  }
  warn(what);
}

// The truth to write beside each score, if it is known.
std::optional<score::Labels> known_truth(const PredictOptions& options,
                                         const score::RunDirectory& run) {
  return options.label_asked ? find_labels(run, options.labels)
                             : labels_from_records(run, options.labels.column);
}

ExitCode predict(const PredictOptions& options) {
  const auto files = posix_files();
  require_own_predictions(*files, options.output);
  const score::Head head = score::read_head(*files, options.head);
  score::RunDirectory run(*files, options.run);
  check_match(*files, options, head, run);
  const std::optional<score::Labels> truth = known_truth(options, run);

  score::UnusedRows left_out;
  const std::vector<std::size_t> rows = rows_with_vectors(run, left_out);
  say_left_out(left_out, run);
  if (rows.empty()) {
    throw Error(ExitCode::kBadData, options.run + " holds no vector: every record was rejected",
                "see its rejects.csv");
  }
  std::string text(truth ? kLabelledHeader : kPredictionHeader);
  std::size_t called = 0;
  for (std::size_t start = 0; start < rows.size(); start += kBlockRows) {
    const auto block = std::span(rows).subspan(start, std::min(kBlockRows, rows.size() - start));
    const std::vector<double> vectors = run.vectors(block);
    for (std::size_t i = 0; i < block.size(); ++i) {
      const auto vector = std::span(vectors).subspan(i * run.dimension(), run.dimension());
      const double score =
          score::logistic(score::decision(head.coefficients, head.intercept, vector));
      const bool positive = score > options.threshold;
      called += positive ? 1 : 0;
      text += std::to_string(block[i]) + ',' + csv_field(run.id(block[i])) + ',';
      if (truth) {
        const auto label = truth->of_row[block[i]];
        text += (label ? std::to_string(int{*label}) : "") + ',';
      }
      text += shortest(score) + (positive ? ",1\n" : ",0\n");
    }
  }
  write_atomically(*files, options.output, text);
  say("scored " + format_count(rows.size()) + " records of " + options.run + " into " +
      options.output + ", " + format_count(called) + " above " + shortest(options.threshold));
  if (options.json) {
    const json summary = {{"head", printable(options.head, 4096)},
                          {"directory", printable(options.run, 4096)},
                          {"predictions", printable(options.output, 4096)},
                          {"rows", rows.size()},
                          {"positives_called", called},
                          {"threshold", options.threshold},
                          {"truth", truth ? json(truth->from) : json(nullptr)},
                          {"left_out", to_json(left_out, run)}};
    std::cout << summary.dump() << '\n';
  }
  return ExitCode::kDone;
}

}  // namespace

void add_probe_predict(CLI::App& probe, Context& context) {
  const auto options = std::make_shared<PredictOptions>();  // owned by the parser's callback
  CLI::App* command = probe.add_subcommand("predict", "Score embeddings with a head");
  command->add_option("HEAD", options->head, "a head that probe fit wrote, or the original's .npz")
      ->required();
  command->add_option("OUT", options->run, "a finished output directory of embed")->required();
  command->add_option("-o,--output", options->output, "the predictions to write")
      ->type_name("PREDICTIONS.csv")
      ->required();
  add_label_options(*command, options->labels);
  command
      ->add_option("--threshold", options->threshold,
                   "a score strictly above it is called positive; default: 0.5")
      ->type_name("P")
      ->check(any_number());
  command->add_flag("--allow-mismatch", options->allow_mismatch,
                    "score embeddings of another model or pooling than the head's");
  command->add_flag("--json", options->json, "one JSON summary on standard output");
  command->callback([options, command, &context] {
    options->label_asked = command->count("--label") > 0 || command->count("--labels") > 0;
    context.chosen = [options] { return predict(*options); };
  });
}

}  // namespace longhaul::app
