// `longhaul plan`: what a run will need and take, before it begins; or, with --index, an index of
// its input for shards.
#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "command.hpp"
#include "config/device_list.hpp"
#include "config_options.hpp"
#include "console.hpp"
#include "launch/process_plan.hpp"
#include "number_checks.hpp"
#include "path_checks.hpp"
#include "plan_report.hpp"
#include "registry.hpp"
#include "run_environment.hpp"
#include "session/indexing.hpp"
#include "session/planning.hpp"
#include "session/shard_index.hpp"
#include "signals.hpp"
#include "terminal_text.hpp"
#include "usable_threads.hpp"

namespace longhaul::app {
namespace {

struct PlanOptions {
  ConfigOptions config;
  bool index = false;
  std::optional<std::uint32_t> shards;
};

constexpr std::uint32_t kMostShards = 10000;

// A line every 30 s: how many records there are, nobody knows yet.
std::function<void(std::uint64_t)> tell_records(Console& console, std::string done) {
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kBetweenLines{30};
  return [&console, done = std::move(done), last = Clock::now()](std::uint64_t records) mutable {
    if (Clock::now() - last >= kBetweenLines) {
      last = Clock::now();
      console.info(format_count(records) + " records are " + done);
    }
  };
}

void print_json(const nlohmann::ordered_json& summary) {
  std::cout << summary.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
            << std::endl;
}

ExitCode make_index(const config::RunConfig& config, const session::Workshop& workshop,
                    Context& context) {
  Console& console = *context.console;
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
                            .progress = tell_records(console, "indexed")});
  const std::string path = session::index_path(config.output);
  console.info(printable(path, 400) + ": " + session::in_words(index));
  if (config.json) {
    nlohmann::ordered_json summary = {{"index", printable(path, 4096)}};
    summary.update(session::summary_of(index));
    print_json(summary);
  }
  return ExitCode::kDone;
}

// What is there already decides what these compute, so that a plan of the whole input says nothing
// about them.
void require_whole_run(const config::RunConfig& config) {
  if (config.retry_rejects || config.update || !config.reuse.empty()) {
    throw Error(ExitCode::kUsage,
                "a plan is of a run that computes every row, and not of --retry-rejects, --reuse "
                "or --update",
                "leave that flag out");
  }
  if (config.shard || launch::asks_for_processes(config)) {
    throw Error(ExitCode::kUsage,
                "a plan times one process, and deals the input out by a flag of its own",
                "leave --shard, --processes and lists of devices out, and give --shards N");
  }
}

ExitCode tell_plan(const PlanOptions& options, const config::RunConfig& config,
                   const session::Workshop& workshop, Context& context) {
  require_whole_run(config);
  Console& console = *context.console;
  const std::unique_ptr<Files> files = posix_files();
  // Shards in a directory with an index are dealt its stretches.
  constexpr std::uint64_t kBlock = 64;
  std::uint64_t block = kBlock;
  if (options.shards && !config.output.empty() &&
      files->exists(session::index_path(config.output))) {
    block = session::read_output_index(*files, config.output)->header.stretch;
  }
  const session::RunPlan found =
      session::plan_run(config, options.shards.value_or(1), block,
                        {.files = *files,
                         .log = console,
                         .workshop = workshop,
                         .threads = usable_threads(context.environment).threads,
                         .now = &std::chrono::steady_clock::now,
                         .stop = &StopSignals::requested,
                         .progress = tell_records(console, "read")});
  if (config.json) {
    print_json(app::to_json(found));
  } else {
    print_plan(found, stdout_columns(context.environment));
  }
  if (!found.why.empty()) {
    console.error(found.why);
  }
  return found.code;
}

ExitCode plan(const PlanOptions& options, Context& context) {
  const config::ResolvedConfig resolved = resolve_options(options.config, context.environment);
  const config::RunConfig& config = resolved.config;
  if (!options.config.print_config) {
    require_apart(config);
  }
  context.console =
      std::make_unique<Console>(ConsoleSettings{config.log_level, config.log_file, config.quiet});
  Console& console = *context.console;
  for (const std::string& warning : resolved.warnings) {
    console.warning(warning);
  }
  if (options.config.print_config) {
    std::cout << print_config(resolved);
    return ExitCode::kDone;
  }
  if (options.index || !config.output.empty()) {
    require_positions(config);
  } else {
    config::RunConfig nowhere = config;
    nowhere.output = ".";  // a plan writes nothing
    require_positions(nowhere);
  }
  if (options.index && options.shards) {
    throw Error(ExitCode::kUsage, "--index makes an index, and --shards is about a plan",
                "give one of them, --index first");
  }
  const StopSignals signals;
  const session::Workshop workshop = make_workshop(make_backend());
  return options.index ? make_index(config, workshop, context)
                       : tell_plan(options, config, workshop, context);
}

}  // namespace

void add_plan(CLI::App& app, Context& context) {
  const auto options = std::make_shared<PlanOptions>();  // owned by the parser's callback
  CLI::App* command = app.add_subcommand(
      "plan", "What a run will need and take, before it starts; an index for shards");
  command->add_option("--shards", options->shards, "tell the time of each of N shards")
      ->type_name("N")
      ->check(whole_number(1, kMostShards));
  command->add_flag("--index", options->index,
                    "write OUT/index.jsonl instead: shards in OUT then read only their own parts "
                    "of the input, stretches of 4,096 records, each checked against the index");
  add_config_options(*command, options->config);
  command->footer(
      "Give the flags that embed will have; -o may be left out. Reads the input once, times the "
      "model for a moment, writes nothing. It ends with the code that embed would end with.");
  command->callback([options, &context] {
    context.chosen = [options, &context] { return plan(*options, context); };
  });
}

}  // namespace longhaul::app
