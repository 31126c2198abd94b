// `longhaul probe`: logistic regression on embeddings.
#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <iostream>

#include "probe_options.hpp"

namespace longhaul::app {

void add_label_options(CLI::App& command, LabelOptions& options) {
  command.add_option("--label", options.column, "column of the label (0 or 1); default: label");
  command.add_option("--labels", options.file,
                     "CSV file with ids and labels, joined by id; default: the column that "
                     "embed --keep-column kept, else the recorded input");
  command.add_option("--id-column", options.id_column,
                     "column of the ids in --labels; default: id");
}

void add_skip_unlabelled(CLI::App& command, LabelOptions& options) {
  command.add_flag("--skip-unlabelled", options.skip_unlabelled,
                   "leave out records without a label instead of refusing");
}

score::Dataset load_training_set(score::RunDirectory& run, const LabelOptions& options) {
  score::Dataset data = load_dataset(
      run, find_labels(run, options),
      options.skip_unlabelled ? score::Unlabelled::kLeaveOut : score::Unlabelled::kRefuse);
  say_left_out(data.left_out, run);
  return data;
}

void warn(const std::string& message) {
  std::cerr << "warning: " << message << '\n';
}

void say(const std::string& message) {
  std::cerr << message << '\n';
}

void say_left_out(const score::UnusedRows& left_out, const score::RunDirectory& run) {
  if (left_out.total() > 0) {
    warn("left out of " + run.path() + ": " + describe(left_out, run));
  }
}

std::string shortest(double value) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

void add_probe(CLI::App& app, Context& context) {
  CLI::App* probe = app.add_subcommand("probe", "Logistic regression on embeddings");
  probe->require_subcommand(1);
  add_probe_fit(*probe, context);
  add_probe_predict(*probe, context);
  add_probe_cv(*probe, context);
}

}  // namespace longhaul::app
