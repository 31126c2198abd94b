// `longhaul merge`: the shards of an output become one output, proved complete.
#include "command.hpp"

#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/text.hpp"
#include "console.hpp"
#include "process_setup.hpp"
#include "progress.hpp"
#include "run_environment.hpp"
#include "session/merge.hpp"
#include "session/output_state.hpp"
#include "signals.hpp"
#include "version.hpp"

namespace longhaul::app {
namespace {

struct MergeOptions {
  std::string output;
  std::string max_rejects;
  bool remove_shards = false;
  bool quiet = false;
  bool json = false;
};

std::optional<config::RejectLimit> parse_limit(const std::string& text) {
  if (text.empty()) {
    return std::nullopt;
  }
  config::RunConfig given;
  try {
    config::find_setting("max-rejects")->set(given, text);
  } catch (const Error& error) {
    throw Error(ExitCode::kUsage, std::string("--max-rejects: ") + error.what(), error.remedy());
  }
  return given.max_rejects;
}

ExitCode merge(const MergeOptions& options, Context& context) {
  session::MergeRequest request;
  request.output = options.output;
  request.remove_shards = options.remove_shards;
  request.max_rejects = parse_limit(options.max_rejects);
  context.console =
      std::make_unique<Console>(ConsoleSettings{LogLevel::kInfo, std::nullopt, options.quiet});
  allow_many_files();
  const StopSignals signals;
  const std::unique_ptr<Files> files = posix_files();
  const ExitCode code =
      session::merge_shards(request, {.files = *files,
                                      .log = *context.console,
                                      .lock_holder = lock_holder(context.environment),
                                      .versions = versions(),
                                      .session = describe_session(context.arguments),
                                      .utc_now = &utc_now,
                                      .stop = &StopSignals::requested,
                                      .progress = tell_now_and_then(*context.console, "merged")});
  if (options.json) {
    std::cout << to_json(session::read_output_state(*files, options.output))
                     .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
              << '\n';
  }
  return code;
}

}  // namespace

void add_merge(CLI::App& app, Context& context) {
  const auto options = std::make_shared<MergeOptions>();  // owned by the parser's callback
  CLI::App* command = app.add_subcommand(
      "merge", "Make one output of the shards of one input, and prove it complete");
  command->add_option("OUT", options->output, "the --output of the shards")->required();
  command
      ->add_option("--max-rejects", options->max_rejects,
                   "more bad records than this, or than a share such as 2%, and nothing is merged; "
                   "none: any number (default: as the shards were given)")
      ->type_name("N");
  command->add_flag("--remove-shards", options->remove_shards,
                    "remove each shard once the merged output has its rows");
  command->add_flag("--quiet,-q", options->quiet, "nothing but warnings on standard error");
  command->add_flag("--json", options->json, "run.json of the merged output on standard output");
  command->callback([options, &context] {
    context.chosen = [options, &context] { return merge(*options, context); };
  });
}

}  // namespace longhaul::app
