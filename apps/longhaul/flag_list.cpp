#include "flag_list.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/text.hpp"
#include "config/run_config.hpp"
#include "config/setting_words.hpp"
#include "help.hpp"

namespace longhaul::app {
namespace {

// In "sequence|COLUMN" what is in lower case stands for itself.
std::vector<std::string> literal_words(const std::string& value_name) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at <= value_name.size();) {
    const std::size_t end = std::min(value_name.find('|', at), value_name.size());
    const std::string part = value_name.substr(at, end - at);
    if (!part.empty() && std::all_of(part.begin(), part.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        })) {
      words.push_back(part);
    }
    at = end + 1;
  }
  return words;
}

// A command that takes a setting's flag takes its values.
std::vector<std::string> words_of(const Flag& flag) {
  for (const std::string& name : flag.names) {
    const config::Setting* setting =
        name.starts_with("--") ? config::find_setting(name.substr(2)) : nullptr;
    if (setting != nullptr && setting->value_name == flag.value_name) {
      return config::words_of_setting(setting->name);
    }
  }
  return literal_words(flag.value_name);
}

ValueKind kind_of(const Flag& flag) {
  if (flag.value_name.empty()) {
    return ValueKind::kNone;
  }
  if (!flag.words.empty()) {
    return ValueKind::kWords;
  }
  if (flag.value_name == "DIR") {
    return ValueKind::kDirectory;
  }
  // PREDICTIONS.csv and the like are names of files.
  const bool file = flag.value_name.find("FILE") != std::string::npos ||
                    flag.value_name.find('.') != std::string::npos;
  return file ? ValueKind::kFile : ValueKind::kOther;
}

Flag flag_of(const CLI::Option& option) {
  Flag flag;
  for (const std::string& name : option.get_snames()) {
    flag.names.push_back("-" + name);
  }
  for (const std::string& name : option.get_lnames()) {
    flag.names.push_back("--" + name);
  }
  flag.value_name = option.get_items_expected_max() == 0 ? "" : option.get_type_name();
  flag.help = option.get_description();
  const std::string& group = option.get_group();
  flag.heading = group.substr(group.starts_with(kOnlyInHelpAll) ? 1 : 0);
  flag.words = words_of(flag);
  flag.kind = kind_of(flag);
  return flag;
}

Command command_of(const CLI::App& app, const std::vector<std::string>& path) {
  Command command;
  command.path = path;
  command.help = app.get_description();
  for (const CLI::Option* option : app.get_options()) {
    if (option->nonpositional()) {
      if (!option->get_group().empty()) {
        command.flags.push_back(flag_of(*option));
      }
    } else {
      command.positions.push_back({option->get_name(true),
                                   option->get_description(),
                                   option->get_items_expected_max() > 1,
                                   {}});
    }
  }
  for (const CLI::App* own : app.get_subcommands([](const CLI::App*) { return true; })) {
    command.commands.push_back(own->get_name());
  }
  return command;
}

void add_commands_of(const CLI::App& app, const std::vector<std::string>& path,
                     std::vector<Command>& commands) {
  commands.push_back(command_of(app, path));
  for (const CLI::App* own : app.get_subcommands([](const CLI::App*) { return true; })) {
    std::vector<std::string> longer = path;
    longer.push_back(own->get_name());
    add_commands_of(*own, longer, commands);
  }
}

}  // namespace

std::vector<Command> list_commands(const CLI::App& app) {
  std::vector<Command> commands;
  add_commands_of(app, {}, commands);
  for (Command& command : commands) {
    if (command.path == std::vector<std::string>{"help"}) {
      command.positions = {{"COMMAND", "whose help is shown", false, commands.front().commands}};
    }
    if (command.path == std::vector<std::string>{"completion"} && !command.positions.empty()) {
      command.positions.front().words = {"bash", "zsh", "fish"};
    }
  }
  return commands;
}

std::string path_text(const Command& command) {
  return join(command.path, " ");
}

}  // namespace longhaul::app
