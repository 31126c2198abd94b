// The flags of `longhaul embed`, made from the settings table, and how flags, environment and
// --config file become one configuration. Bad values and contradictions are Error(kUsage).
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/run_config.hpp"

namespace CLI {
class App;
}

namespace longhaul::app {

// Setting and value, in the order given.
using FlagValues = std::vector<std::pair<std::string, std::string>>;

// What the command line said. Owned by the command; must outlive the parse.
struct ConfigOptions {
  std::string model;
  std::vector<std::string> inputs;
  FlagValues flags;
  std::string config_file;
  bool print_config = false;
  std::string continuation;  // from the process before, after recycling; see recycle.hpp
  std::string share;         // from the process that started this one; see child_processes.hpp
};

// Adds MODEL, INPUT..., every setting's flag, --config and --print-config.
void add_config_options(CLI::App& command, ConfigOptions& options);

// The flags of some settings, for a command that has these and no others: resolve_config() reads
// what was given. `given` must outlive the parse.
void add_setting_flags(CLI::App& command, std::initializer_list<std::string_view> names,
                       FlagValues& given);

// The same of all settings of a group of the table.
void add_setting_group(CLI::App& command, std::string_view group, FlagValues& given);

// Reads the --config file, if any, and merges everything. Contradictions are refused here; that
// model, input and output are named is require_positions()'s business, for --print-config needs
// none.
config::ResolvedConfig resolve_options(const ConfigOptions& options,
                                       const std::map<std::string, std::string>& environment);

}  // namespace longhaul::app
