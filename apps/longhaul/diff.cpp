// `longhaul diff`: two outputs side by side. What is compared and how is lib/score's.
#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/text.hpp"
#include "command.hpp"
#include "diff_report.hpp"
#include "number_checks.hpp"
#include "store/checked_rows.hpp"
#include "store/shards.hpp"
#include "terminal_text.hpp"

namespace longhaul::app {
namespace {

struct DiffOptions {
  std::string a;
  std::string b;
  score::DiffSettings settings;
  bool json = false;
};

constexpr const char* kOfShards = "compare the directories of two shards";

store::OutputReader open_output(Files& files, const std::string& path) {
  using store::store_files::kEmbeddings;
  using store::store_files::kJournal;
  const auto has = [&](const char* name) { return files.exists(store::path_in(path, name)); };
  if (files.kind(path) == PathKind::kDirectory && !has(kJournal)) {
    if (store::has_shards(files, path)) {
      store::refuse_unmerged(path, kOfShards);
    }
    if (!has(kEmbeddings)) {
      throw Error(ExitCode::kBadData, printable(path, 400) + " is no output of longhaul embed",
                  "name the --output of a run");
    }
  }
  store::OutputReader output(files, path, store::OutputReader::JournalFile::kOptional,
                             "see what `longhaul verify` says");
  if (!output.finished() && store::has_shards(files, path)) {
    store::refuse_unmerged(path, kOfShards);
  }
  if (!output.finished() && output.rows() == 0) {
    throw Error(ExitCode::kInterrupted,
                printable(path, 400) + " has no complete window yet: there is nothing to compare",
                "give the command that began it again, and compare when it has more");
  }
  return output;
}

// Damage is no answer to the question whether two runs made the same.
void refuse_damage(const DiffReport& report) {
  for (const auto& [output, damaged] : {std::pair(&report.a, &report.diff.damaged_a),
                                        std::pair(&report.b, &report.diff.damaged_b)}) {
    if (damaged->count > 0) {
      throw Error(ExitCode::kBadData,
                  printable(output->path(), 400) + " is damaged: " + format_count(damaged->count) +
                      " rows do not match their checksums, the first is row " +
                      std::to_string(damaged->first.front().row) + " (" +
                      printable(damaged->first.front().id) + ")",
                  "see what `longhaul verify` says of it");
    }
  }
}

ExitCode diff_outputs(const DiffOptions& options, std::size_t columns) {
  const std::unique_ptr<Files> files = posix_files();
  const store::OutputReader a = open_output(*files, options.a);
  const store::OutputReader b = open_output(*files, options.b);
  const score::OutputDiff diff = compare_outputs(a, b, options.settings);
  const DiffReport report{a, b, diff, options.settings};
  if (options.json) {
    std::cout << to_json(report).dump() << '\n';
  } else {
    print_diff(report, columns);
  }
  refuse_damage(report);
  return diff.equal() ? ExitCode::kDone : ExitCode::kDifferent;
}

}  // namespace

void add_diff(CLI::App& app, Context& context) {
  const auto options = std::make_shared<DiffOptions>();  // owned by the parser's callback
  CLI::App* command =
      app.add_subcommand("diff", "Compare two outputs: how they were made, and their vectors");
  command->add_option("A", options->a, "an output directory of `longhaul embed`")->required();
  command->add_option("B", options->b, "another one")->required();
  command
      ->add_option("--tolerance", options->settings.tolerance,
                   "greatest difference of a number that still counts as equal, in proportion to "
                   "the greatest of A's vector where that exceeds 1 (default: the same bits)")
      ->type_name("T")
      ->check(number_from(0));
  command
      ->add_option("--array", options->settings.arrays,
                   "compare only this array, such as embeddings or tokens; may be given several "
                   "times")
      ->type_name("NAME");
  command
      ->add_option("--worst", options->settings.worst,
                   "how many of the pairs that are farthest apart are listed (default: 10)")
      ->type_name("N")
      ->check(whole_number(0, 10'000));
  command
      ->add_option("--sample", options->settings.sample,
                   "rows whose 10 nearest neighbours among each other are compared (default: 1000)")
      ->type_name("N")
      ->check(whole_number(0, 10'000));
  command->add_option("--seed", options->settings.seed, "choice of the sample")
      ->type_name("N")
      ->check(whole_number());
  command->add_flag("--json", options->json, "one JSON object on standard output");
  command->callback([options, &context] {
    context.chosen = [options, &context] {
      return diff_outputs(*options, stdout_columns(context.environment));
    };
  });
}

}  // namespace longhaul::app
