// `longhaul embed`: the main job.
#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "base/text.hpp"
#include "command.hpp"
#include "config_options.hpp"
#include "console.hpp"
#include "device/memory_reading.hpp"
#include "embed_session.hpp"
#include "progress.hpp"
#include "replay_paths.hpp"
#include "signals.hpp"

namespace longhaul::app {
namespace {

// The same command continues a run; --overwrite would begin it anew.
std::string resume_command(const std::vector<std::string>& arguments) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == kContinuationFlag) {
      ++i;
    } else if (arguments[i] != "--overwrite") {
      words.push_back(shell_word(arguments[i]));
    }
  }
  return join(words, " ");
}

// Metal's allocator reads them when it is made, which is later. PyTorch refuses a low watermark
// above the high one, and its default low one is 1.4.
void set_mps_watermarks(const config::RunConfig& config) {
  if (config.mps_high_watermark) {
    const double high = *config.mps_high_watermark;
    const double low = high == 0 ? 1.4 : std::min(1.4, high);
    setenv("PYTORCH_MPS_HIGH_WATERMARK_RATIO", nlohmann::json(high).dump().c_str(), 1);
    setenv("PYTORCH_MPS_LOW_WATERMARK_RATIO", nlohmann::json(low).dump().c_str(), 1);
  }
}

// A ceiling that was asked for comes before speed.
device::FreedMemory freed_memory(const config::RunConfig& config) {
  const bool limited = config.memory_limit || device::HostMemory().read().address_space_limit;
  return limited ? device::FreedMemory::kReturned : device::FreedMemory::kKept;
}

ExitCode embed(const ConfigOptions& options, Context& context) {
  config::ResolvedConfig resolved = resolve_options(options, context.environment);
  const config::RunConfig& config = resolved.config;
  std::optional<std::string> started_in;
  if (!options.print_config) {
    started_in = enter_recorded_directory(resolved, options);
  }
  // It outlives this function, so that what main() says of a failure is in the log file too.
  context.console = std::make_unique<Console>(ConsoleSettings{
      config.log_level, options.print_config ? std::nullopt : config.log_file, config.quiet});
  Console& console = *context.console;
  for (const std::string& notice : resolved.notices) {
    console.info(notice);
  }
  for (const std::string& warning : resolved.warnings) {
    console.warning(warning);
  }
  if (options.print_config) {
    std::cout << print_config(resolved);
    return ExitCode::kDone;
  }
  require_positions(config);
  set_mps_watermarks(config);
  const StopSignals signals;
  const auto term = context.environment.find("TERM");
  SessionInputs inputs{
      .resolved = resolved,
      .backend = make_backend(freed_memory(config)),
      .console = &console,
      .progress = resolve_style(config, term == context.environment.end() ? "" : term->second),
      .command = resume_command(context.arguments),
      .arguments = context.arguments,
      .continuation = {},
      .usable = usable_threads(context.environment),
      .environment = context.environment,
      .started_in = started_in};
  if (!options.continuation.empty()) {
    inputs.continuation = continuation_from_text(options.continuation);
  }
  try {
    return run_session(inputs);
  } catch (const Error& error) {
    if (config.json) {
      std::cout << nlohmann::json{{"code", to_int(error.code())},
                                  {"error", error.what()},
                                  {"remedy", error.remedy()},
                                  {"output", config.output}}
                       .dump()
                << std::endl;
    }
    throw;
  }
}

}  // namespace

void add_embed(CLI::App& app, Context& context) {
  const auto options = std::make_shared<ConfigOptions>();  // owned by the parser's callback
  CLI::App* command = app.add_subcommand("embed", "Embed sequences or images into a directory");
  add_config_options(*command, *options);
  command->callback([options, &context] {
    context.chosen = [options, &context] { return embed(*options, context); };
  });
}

}  // namespace longhaul::app
