// `longhaul plan`: what is found out about an input before it is embedded.
#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "command.hpp"
#include "config_options.hpp"
#include "console.hpp"
#include "registry.hpp"
#include "run_environment.hpp"
#include "session/indexing.hpp"
#include "session/shard_index.hpp"
#include "signals.hpp"

namespace longhaul::app {
namespace {

struct PlanOptions {
  ConfigOptions config;
  bool index = false;
};

// A line every 30 s: how many records there are, nobody knows yet.
std::function<void(std::uint64_t)> tell_records(Console& console) {
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kEvery{30};
  return [&console, last = Clock::now()](std::uint64_t records) mutable {
    if (Clock::now() - last >= kEvery) {
      last = Clock::now();
      console.info(format_count(records) + " records are indexed");
    }
  };
}

ExitCode plan(const PlanOptions& options, Context& context) {
  const config::ResolvedConfig resolved = resolve_options(options.config, context.environment);
  const config::RunConfig& config = resolved.config;
  context.console =
      std::make_unique<Console>(ConsoleSettings{config.log_level, config.log_file, config.quiet});
  Console& console = *context.console;
  for (const std::string& warning : resolved.warnings) {
    console.warning(warning);
  }
  require_positions(config);
  if (!options.index) {
    throw Error(ExitCode::kUsage, "plan is not told what to find out", "give --index");
  }
  const StopSignals signals;
  const session::Workshop workshop = make_workshop(make_backend());
  const encode::EncoderCard card =
      workshop.models.read_model(config.model, config.card, config.model_sha256).card;
  const std::unique_ptr<Files> files = posix_files();
  const input::InputIndex index =
      session::index_input(config, card,
                           {.files = *files,
                            .log = console,
                            .workshop = workshop,
                            .lock_holder = lock_holder(context.environment),
                            .stop = &StopSignals::requested,
                            .progress = tell_records(console)});
  const std::string path = session::index_path(config.output);
  console.info(printable(path, 400) + ": " + session::in_words(index));
  if (config.json) {
    nlohmann::ordered_json summary = {{"index", printable(path, 4096)}};
    summary.update(session::summary_of(index));
    std::cout << summary.dump() << std::endl;
  }
  return ExitCode::kDone;
}

}  // namespace

void add_plan(CLI::App& app, Context& context) {
  const auto options = std::make_shared<PlanOptions>();  // owned by the parser's callback
  CLI::App* command = app.add_subcommand(
      "plan", "Read an input once, before shards embed it: an index of its parts");
  command->add_option("MODEL", options->config.model, "the model that is to embed it")
      ->type_name("");
  command->add_option("INPUT", options->config.inputs, "as for embed, but no stream")
      ->type_name("");
  command->add_flag("--index", options->index,
                    "write OUT/index.jsonl: shards in OUT then read only their own parts of the "
                    "input, stretches of 4,096 records, each checked against the index");
  add_setting_group(*command, "Input", options->config.flags);
  add_setting_flags(
      *command,
      {"output", "overwrite", "card", "model-sha256", "log-level", "log-file", "quiet", "json"},
      options->config.flags);
  command->footer("Give the settings of the input as embed will have them.");
  command->callback([options, &context] {
    context.chosen = [options, &context] { return plan(*options, context); };
  });
}

}  // namespace longhaul::app
