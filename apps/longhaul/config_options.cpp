#include "config_options.hpp"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.hpp"
#include "base/text.hpp"
#include "help.hpp"
#include "own_flags.hpp"

namespace longhaul::app {
namespace {

constexpr const char* kExpertHeading = "Rarely needed";
constexpr const char* kConfiguration = "Configuration";

// The help text, with the default where the text does not say it.
std::string help_of(const config::Setting& setting) {
  std::string help(setting.help);
  const nlohmann::json value = setting.get(config::RunConfig{});
  if (!setting.is_switch() && !value.is_null() && !value.is_array() &&
      help.find("(default") == std::string::npos) {
    help += " (default: " + (value.is_string() ? value.get<std::string>() : value.dump()) + ")";
  }
  return help;
}

CLI::Option* add_setting(CLI::App& command, const config::Setting& setting, FlagValues& given) {
  const std::string name(setting.name);
  const std::string flags =
      (setting.short_flag.empty() ? "" : "-" + std::string(setting.short_flag) + ",") + "--" + name;
  const auto keep = [&given, name](const std::string& value) { given.emplace_back(name, value); };
  CLI::Option* option = nullptr;
  if (setting.is_switch()) {
    option = command.add_flag_function(
        flags, [keep](std::int64_t count) { keep(count > 0 ? "true" : "false"); },
        help_of(setting));
  } else {
    // Every value is kept, so that resolve_config() can say which flag was given twice.
    option = command.add_option_function<std::vector<std::string>>(
        flags,
        [keep](const std::vector<std::string>& values) {
          for (const std::string& value : values) {
            keep(value);
          }
        },
        help_of(setting));
    option->allow_extra_args(false);
  }
  if (!setting.is_switch()) {
    option->type_name(std::string(setting.value_name));
  }
  return option;
}

nlohmann::json read_config_file(const std::string& path) {
  const char* remedy = "give a JSON file, or the run.json of an output";
  if (std::filesystem::is_directory(path)) {
    throw Error(ExitCode::kUsage, "--config " + printable(path) + ": is a folder", remedy);
  }
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  if (!stream || (text << stream.rdbuf(), stream.bad())) {
    throw Error(ExitCode::kUsage,
                "--config " + printable(path) + ": cannot be read: " + std::strerror(errno),
                remedy);
  }
  return config::parse_config_text(text.str(), path);
}

}  // namespace

void add_config_options(CLI::App& command, ConfigOptions& options) {
  command.add_option("MODEL", options.model, "a TorchScript archive with a card")->type_name("");
  command
      .add_option("INPUT", options.inputs,
                  "files of sequences, or - for standard input; images, .tar archives; folders of "
                  "either (a list of them: --files-from)")
      ->type_name("");
  for (const config::Setting& setting : config::settings_table()) {
    const std::string heading = setting.group.empty() ? kExpertHeading : std::string(setting.group);
    add_setting(command, setting, options.flags)
        ->group(setting.daily ? heading : kOnlyInHelpAll + heading);
  }
  command
      .add_option("--config", options.config_file,
                  "settings from a JSON file whose keys are the long names of the flags; the "
                  "run.json of an output replays that run")
      ->type_name("FILE")
      ->envname("LONGHAUL_CONFIG")
      ->group(kConfiguration);
  command
      .add_flag("--print-config", options.print_config,
                "print the effective settings and where each came from, and stop")
      ->envname("LONGHAUL_PRINT_CONFIG")
      ->group(kOnlyInHelpAll + std::string(kConfiguration));
  command.add_option(kContinuationFlag, options.continuation)->group("");
  command.add_option(kShareFlag, options.share)->group("");
  command.footer(
      "A flag goes before the environment (LONGHAUL_BATCH_SIZE for --batch-size, and so on), that "
      "before the --config file, that before the default. Sizes: 800M, 12G. Times: 250ms, 5s, 10m, "
      "2h.");
}

void add_setting_flags(CLI::App& command, std::initializer_list<std::string_view> names,
                       FlagValues& given) {
  for (const std::string_view name : names) {
    const config::Setting* setting = config::find_setting(name);
    if (setting == nullptr) {
      throw Error(ExitCode::kInternal, "there is no setting " + std::string(name));
    }
    add_setting(command, *setting, given);
  }
}

void add_setting_group(CLI::App& command, std::string_view group, FlagValues& given) {
  for (const config::Setting& setting : config::settings_table()) {
    if (setting.group == group) {
      add_setting(command, setting, given);
    }
  }
}

config::ResolvedConfig resolve_options(const ConfigOptions& options,
                                       const std::map<std::string, std::string>& environment) {
  std::optional<nlohmann::json> file;
  if (!options.config_file.empty()) {
    file = read_config_file(options.config_file);
  }
  config::ResolvedConfig resolved =
      config::resolve_config(options.flags, environment, file, options.config_file);
  if (!options.model.empty()) {
    resolved.config.model = options.model;
  }
  if (!options.inputs.empty()) {
    resolved.config.inputs = options.inputs;
  }
  validate_config(resolved.config);
  return resolved;
}

}  // namespace longhaul::app
