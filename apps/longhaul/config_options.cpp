#include "config_options.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.hpp"
#include "base/text.hpp"
#include "recycle.hpp"

namespace longhaul::app {
namespace {

constexpr const char* kExpertHeading = "Rarely needed";
constexpr std::size_t kNameColumns = 30;
constexpr std::size_t kTextColumns = 68;

std::string wrap(const std::string& text) {
  std::istringstream words(text);
  std::string out;
  std::string line;
  for (std::string word; words >> word;) {
    if (!line.empty() && line.size() + 1 + word.size() > kTextColumns) {
      out += line + '\n';
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return out + line;
}

class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(kNameColumns); }

  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    if (mode != CLI::AppFormatMode::Sub) {
      shows_all_ = mode == CLI::AppFormatMode::All;
    }
    return Formatter::make_help(app, name, mode);
  }
  std::string make_group(std::string group, bool is_positional,
                         std::vector<const CLI::Option*> options) const override {
    if (group == kExpertHeading && !shows_all_) {
      return "";
    }
    return Formatter::make_group(std::move(group), is_positional, std::move(options));
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string type = option->get_type_name();
    return (type.empty() ? "" : " " + type) +
           (option->get_positional() && option->get_expected_max() > 1 ? " ..." : "");
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    return wrap(option->get_description());
  }

 private:
  mutable bool shows_all_ = false;  // the library's hook is const
};

// The help text, with the default where the text does not say it.
std::string help_of(const Setting& setting) {
  std::string help(setting.help);
  const nlohmann::json value = setting.get(RunConfig{});
  if (!setting.is_switch() && !value.is_null() && !value.is_array() &&
      help.find("(default") == std::string::npos) {
    help += " (default: " + (value.is_string() ? value.get<std::string>() : value.dump()) + ")";
  }
  return help;
}

void add_setting(CLI::App& command, const Setting& setting, ConfigOptions& options) {
  const std::string name(setting.name);
  const std::string flags =
      (setting.short_flag.empty() ? "" : "-" + std::string(setting.short_flag) + ",") + "--" + name;
  const auto keep = [&options, name](const std::string& value) {
    options.flags.emplace_back(name, value);
  };
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
  option->group(setting.group.empty() ? kExpertHeading : std::string(setting.group));
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
  return parse_config_text(text.str(), path);
}

}  // namespace

std::shared_ptr<CLI::Formatter> help_formatter() {
  return std::make_shared<HelpFormatter>();
}

void add_config_options(CLI::App& command, ConfigOptions& options) {
  command.add_option("MODEL", options.model, "a TorchScript archive with a card")->type_name("");
  command
      .add_option("INPUT", options.inputs, "files of sequences, folders, or - for standard input")
      ->type_name("");
  for (const Setting& setting : settings_table()) {
    add_setting(command, setting, options);
  }
  command
      .add_option("--config", options.config_file,
                  "settings from a JSON file whose keys are the long names of the flags; the "
                  "run.json of an output replays that run")
      ->type_name("FILE")
      ->envname("LONGHAUL_CONFIG")
      ->group("Configuration");
  command
      .add_flag("--print-config", options.print_config,
                "print the effective settings and where each came from, and stop")
      ->envname("LONGHAUL_PRINT_CONFIG")
      ->group("Configuration");
  command.add_option(kContinuationFlag, options.continuation)->group("");
  command.footer(
      "\nA flag goes before the environment (LONGHAUL_BATCH_SIZE for --batch-size, and so on), "
      "that\nbefore the --config file, that before the default. Sizes: 800M, 12G. Times: 250ms, "
      "5s, 10m, 2h.");
}

ResolvedConfig resolve_options(const ConfigOptions& options,
                               const std::map<std::string, std::string>& environment) {
  std::optional<nlohmann::json> file;
  if (!options.config_file.empty()) {
    file = read_config_file(options.config_file);
  }
  ResolvedConfig resolved = resolve_config(options.flags, environment, file, options.config_file);
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
