// What the three probe commands share: where labels come from, and how they speak to the user.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/files.hpp"
#include "command.hpp"
#include "score/dataset.hpp"
#include "score/labels.hpp"
#include "score/run_directory.hpp"

namespace CLI {
class App;
}

namespace longhaul::app {

struct LabelOptions {
  std::string column = "label";
  std::string file;  // --labels; empty: none
  std::string id_column = "id";
  bool skip_unlabelled = false;
};
void add_label_options(CLI::App& command, LabelOptions& options);
void add_skip_unlabelled(CLI::App& command, LabelOptions& options);

// From --labels; else the kept column; else the recorded input, if it is still what was embedded.
score::Labels find_labels(const score::RunDirectory& run, const LabelOptions& options);

score::Dataset load_training_set(score::RunDirectory& run, const LabelOptions& options);

void warn(const std::string& message);
void say(const std::string& message);
// Names what was left out, if anything was.
void say_left_out(const score::UnusedRows& left_out, const score::RunDirectory& run);

// The first lines of predictions: of cross-validation, beside labels, and without.
inline constexpr std::string_view kCvHeader = "row,id,fold,label,score,prediction\n";
inline constexpr std::string_view kLabelledHeader = "row,id,label,score,prediction\n";
inline constexpr std::string_view kPredictionHeader = "row,id,score,prediction\n";
// Throws Error(kUsage) where something else is at the place of predictions to be written.
void require_own_predictions(Files& files, const std::string& path);

// 0.1 as "0.1": the shortest text that reads back as the same number.
std::string shortest(double value);

void add_probe_fit(CLI::App& probe, Context& context);
void add_probe_predict(CLI::App& probe, Context& context);
void add_probe_cv(CLI::App& probe, Context& context);

}  // namespace longhaul::app
