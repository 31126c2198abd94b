// Where the labels of a probe come from.
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/own_file.hpp"
#include "base/text.hpp"
#include "config/run_config.hpp"
#include "probe_options.hpp"
#include "registry.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::app {
namespace {

// The settings of the run as it recorded them, with the label's column kept besides.
config::RunConfig recorded_config(const score::RunDirectory& run, const std::string& label_column) {
  config::RunConfig config = config::resolve_config({}, {}, run.report()).config;
  if (run.report().contains("input_paths")) {
    config.inputs = run.report().at("input_paths").get<std::vector<std::string>>();
  }
  config.keep_column.push_back(label_column);
  return config;
}

score::Labels labels_from_recorded_input(const score::RunDirectory& run,
                                         const std::string& label_column) {
  const std::string remedy = "embed with --keep-column " + label_column + ", or give --labels FILE";
  // Without its journal an output can be read, but not compared with its input.
  const std::optional<store::JournalState>& claims = run.output().claims();
  if (!claims || !claims->run.progress) {
    throw Error(
        ExitCode::kBadData,
        run.path() + " does not record what its input was, and has no column " + label_column,
        remedy);
  }
  encode::EncoderCard card;
  if (run.report().value("card", nlohmann::json::object()).value("modality", "") == "image") {
    card.modality = Modality::kImage;
  }
  try {
    const auto reader = make_reader(recorded_config(run, label_column), card, nullptr);
    return labels_from_input(run, *reader, label_column, claims->run.progress->input_hash);
  } catch (const Error& error) {
    if (error.code() == ExitCode::kBadData) {
      throw;
    }
    throw Error(ExitCode::kBadData,
                "no labels: " + run.path() + "/records.csv has no column '" + label_column +
                    "' (it has " + join(run.columns(), ", ") +
                    "), and from the recorded input: " + error.what(),
                remedy);
  }
}

}  // namespace

score::Labels find_labels(const score::RunDirectory& run, const LabelOptions& options) {
  if (!options.file.empty()) {
    return labels_from_file(run, {options.file, options.id_column, options.column});
  }
  if (std::optional<score::Labels> kept = labels_from_records(run, options.column)) {
    return *std::move(kept);
  }
  return labels_from_recorded_input(run, options.column);
}

void require_own_predictions(Files& files, const std::string& path) {
  require_own_file(files, path, std::array{kCvHeader, kLabelledHeader, kPredictionHeader},
                   "file of predictions");
}

}  // namespace longhaul::app
