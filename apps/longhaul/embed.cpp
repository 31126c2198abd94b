// `longhaul embed`: the main job.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "child_processes.hpp"
#include "command.hpp"
#include "config/scheduled_shard.hpp"
#include "config_options.hpp"
#include "console.hpp"
#include "device/memory_reading.hpp"
#include "embed_processes.hpp"
#include "metrics_file.hpp"
#include "own_flags.hpp"
#include "path_checks.hpp"
#include "progress.hpp"
#include "recycle.hpp"
#include "registry.hpp"
#include "remedy.hpp"
#include "replay_paths.hpp"
#include "run_environment.hpp"
#include "session/output_state.hpp"
#include "session/session.hpp"
#include "session_display.hpp"
#include "signals.hpp"
#include "usable_threads.hpp"
#include "version.hpp"

namespace longhaul::app {
namespace {

using Share = std::optional<launch::ProcessShare>;  // of a process among several

// The same command continues a run; --overwrite would begin it anew.
std::string resume_command(const std::vector<std::string>& arguments) {
  std::vector<std::string> words;
  for (const std::string& word : without_own_flags(arguments)) {
    if (word != "--overwrite") {
      words.push_back(shell_word(word));
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
device::FreedMemory freed_memory(const config::ResolvedConfig& resolved) {
  const bool asked = resolved.origins.at("memory-limit") != config::Origin::kDefault;
  const bool limited = asked || device::HostMemory().read().address_space_limit;
  return limited ? device::FreedMemory::kReturned : device::FreedMemory::kKept;
}

// What a session needs of this process; it borrows all of it.
session::Host make_host(Files& files, const session::Workshop& workshop,
                        const config::RunConfig& config, const Share& share, Context& context,
                        const std::optional<std::string>& started_in, MetricsFile* metrics) {
  Console& console = *context.console;
  const UsableThreads usable = usable_threads(context.environment);
  const ProgressStyle style = resolve_style(config, context.environment);
  return {
      .files = files,
      .log = console,
      .workshop = workshop,
      .facts = {.threads = share ? share->threads : usable.threads,
                .threads_from = share ? "share of the processes" : usable.because,
                .lock_holder = lock_holder(context.environment),
                .versions = versions(),
                .session = describe_session(context.arguments),
                .machine = &describe_machine,
                .bits_machine =
                    [&context](const device::Device& device) {
                      return describe_bits_machine(device, context.environment);
                    }},
      .now = &session::Clock::now,
      .utc_now = &utc_now,
      .stop = &StopSignals::requested,
      .hold_stops = &StopSignals::hold,
      .display =
          [&console, style, metrics](Modality modality, session::Clock::time_point started) {
            return std::make_unique<SessionDisplay>(console, style, modality, started, metrics);
          },
      .abandon = [&config,
                  &context] { abandon_run(config.output, resume_command(context.arguments)); },
      .start_anew =
          [&context, started_in](const session::Continuation& next) {
            recycle(context.arguments, next, started_in);
          },
  };
}

void tell_interrupted(const config::RunConfig& config, const Context& context) {
  context.console->fail("longhaul: interrupted; everything up to here is safe in " + config.output +
                        "; continue with: " + resume_command(context.arguments));
}

void print_json(const nlohmann::ordered_json& summary) {
  std::cout << summary.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
            << std::endl;
}

// In this process.
ExitCode run(const config::ResolvedConfig& resolved, const ConfigOptions& options,
             const Share& share, Context& context, const std::optional<std::string>& started_in,
             MetricsFile* metrics) {
  const config::RunConfig& config = resolved.config;
  const StopSignals signals;
  const session::Workshop workshop = make_workshop(make_backend(freed_memory(resolved)));
  if (share) {
    stop_with_parent();
  }
  const std::unique_ptr<Files> files = posix_files();
  const session::Host host =
      make_host(*files, workshop, config, share, context, started_in, metrics);
  session::Request request{.resolved = resolved, .continuation = {}};
  if (!options.continuation.empty()) {
    request.continuation = continuation_from_text(options.continuation);
  }
  const session::SessionEnd end = session::run_session(request, host);
  if (config.json) {
    print_json(end.summary);
  }
  if (end.interrupted && !share) {
    tell_interrupted(config, context);
  }
  return end.code;
}

// In several. Nothing where an ordinary session is to say that all is done.
std::optional<ExitCode> run_divided(const config::ResolvedConfig& resolved,
                                    const std::vector<launch::ProcessShare>& shares,
                                    Context& context, const std::optional<std::string>& started_in,
                                    MetricsFile* metrics) {
  const config::RunConfig& config = resolved.config;
  const ProcessesEnd end = embed_in_processes(resolved, shares, context, started_in, metrics);
  if (end.complete) {
    return std::nullopt;
  }
  if (!end.failure.empty()) {
    const bool told = end.code == ExitCode::kUsage || end.code == ExitCode::kMismatch ||
                      end.code == ExitCode::kBadData;
    throw Error(end.code, end.failure,
                told ? "do what the lines above say"
                     : "continue with: " + resume_command(context.arguments));
  }
  if (config.json) {
    print_json(end.code == ExitCode::kInterrupted
                   ? nlohmann::ordered_json{{"code", to_int(end.code)},
                                            {"state", "interrupted"},
                                            {"output", config.output}}
                   : to_json(session::read_output_state(*posix_files(), config.output)));
  }
  if (end.code == ExitCode::kInterrupted) {
    tell_interrupted(config, context);
  }
  return end.code;
}

ExitCode embed(const ConfigOptions& options, Context& context) {
  config::ResolvedConfig resolved = resolve_options(options, context.environment);
  const config::RunConfig& config = resolved.config;
  Share share;
  if (!options.share.empty()) {
    share = launch::process_share_from_text(options.share);
    launch::take_share(resolved.config, *share);
  }
  std::optional<std::string> started_in;
  if (!options.print_config) {
    started_in = enter_recorded_directory(resolved, options);
  }
  if (!options.print_config && !share) {
    require_apart(config);
  }
  // It outlives this function, so that what main() says of a failure is in the log file too.
  context.console = std::make_unique<Console>(
      ConsoleSettings{config.log_level, options.print_config ? std::nullopt : config.log_file,
                      config.quiet, share.has_value()});
  Console& console = *context.console;
  if (!share) {  // who started it has said so
    for (const std::string& notice : resolved.notices) {
      console.info(notice);
    }
    for (const std::string& warning : resolved.warnings) {
      console.warning(warning);
    }
  }
  if (options.print_config) {
    std::cout << print_config(resolved);
    return ExitCode::kDone;
  }
  require_positions(config);
  if (config.shard) {
    const config::ScheduledShard scheduled =
        config::scheduled_shard(*config.shard, context.environment);
    resolved.config.shard = {scheduled.shard.index, scheduled.shard.count};
    if (!scheduled.from.empty()) {
      console.info(in_words(scheduled.shard) + ", from " + scheduled.from);
    }
  }
  set_mps_watermarks(config);
  const std::unique_ptr<Files> files = posix_files();
  std::optional<MetricsFile> metrics;
  if (config.metrics_file) {
    metrics.emplace(*files, console, *config.metrics_file, config.output);
  }
  MetricsFile* const told = metrics ? &*metrics : nullptr;
  const auto embed_it = [&]() -> ExitCode {
    if (!share && launch::asks_for_processes(config)) {
      const std::vector<launch::ProcessShare> shares = plan_processes(config, context);
      if (shares.size() > 1) {
        if (const auto code = run_divided(resolved, shares, context, started_in, told)) {
          return *code;
        }
      } else {
        resolved.config.device = shares.front().device;
      }
    }
    return run(resolved, options, share, context, started_in, told);
  };
  try {
    const ExitCode code = embed_it();
    if (metrics) {
      metrics->end(code);
    }
    return code;
  } catch (const Error& error) {
    if (metrics) {
      metrics->end(error.code());
    }
    if (config.json) {
      std::cout << nlohmann::json{{"code", to_int(error.code())},
                                  {"error", error.what()},
                                  {"remedy", remedy_here(error)},
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
