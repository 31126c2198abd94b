#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "config/layers.hpp"
#include "config/run_config.hpp"
#include "config/suggest.hpp"

namespace longhaul::config {
namespace {

using nlohmann::json;

// Of two settings that exclude each other, the one from the stronger origin wins: -b on the command
// line sets aside the batch-tokens of a file. At the same origin they are a contradiction, which
// validate_config() reports.
constexpr std::array<std::pair<const char*, const char*>, 4> kExclusive{
    {{"batch-size", "batch-tokens"},
     {"strict", "max-rejects"},
     {"quiet", "progress"},
     {"quiet", "log-level"}}};

Layer read_flags(const std::vector<std::pair<std::string, std::string>>& flags) {
  Layer layer;
  for (const auto& [name, value] : flags) {
    const Setting* setting = find_setting(name);
    if (setting == nullptr) {
      throw Error(ExitCode::kUsage, "--" + printable(name) + " is not a flag",
                  "see longhaul embed --help");
    }
    Choice& choice = layer[name];
    if (!choice.values.empty() && !setting->repeatable) {
      throw Error(ExitCode::kUsage, "--" + name + " is given twice", "give it once");
    }
    choice.origin = Origin::kFlag;
    choice.label = "--" + name;
    choice.values.push_back(value);
  }
  return layer;
}

// A repeatable setting's variable holds one value or a JSON array of them.
std::vector<std::string> variable_values(const Setting& setting, const std::string& variable,
                                         const std::string& value) {
  if (!setting.repeatable || !value.starts_with('[')) {
    return {value};
  }
  const json list = json::parse(value, nullptr, false);
  if (!list.is_array() || list.empty() ||
      !std::all_of(list.begin(), list.end(), [](const json& e) { return e.is_string(); })) {
    throw Error(ExitCode::kUsage, variable + ": '" + printable(value) + "' is not a list of texts",
                "write one name, or [\"a\", \"b\"]");
  }
  return list.get<std::vector<std::string>>();
}

Layer read_environment(const std::map<std::string, std::string>& environment,
                       std::vector<std::string>& warnings) {
  Layer layer;
  for (const Setting& setting : settings_table()) {
    const std::string variable = environment_name(setting.name);
    const auto found = environment.find(variable);
    if (found == environment.end() || found->second.empty()) {
      continue;
    }
    if (setting.only_on_command_line) {
      warnings.push_back(variable + " is not honoured: --" + std::string(setting.name) +
                         " is only allowed on the command line");
      continue;
    }
    layer[std::string(setting.name)] = {variable_values(setting, variable, found->second),
                                        Origin::kEnvironment, variable, variable};
  }
  return layer;
}

// Other programs may use the prefix, so an unknown name is only worth a word when it is nearly one
// of ours.
void warn_about_near_misses(const std::map<std::string, std::string>& environment,
                            std::vector<std::string>& warnings) {
  std::vector<std::string> known{"LONGHAUL_CONFIG", "LONGHAUL_PRINT_CONFIG"};
  for (const Setting& setting : settings_table()) {
    known.push_back(environment_name(setting.name));
  }
  for (const auto& [name, value] : environment) {
    if (!name.starts_with("LONGHAUL_") ||
        std::find(known.begin(), known.end(), name) != known.end()) {
      continue;
    }
    // The common prefix must not make everything look alike.
    std::vector<std::string> tails;
    for (const std::string& candidate : known) {
      tails.push_back(candidate.substr(9));
    }
    if (const std::optional<std::string> near = nearest_word(name.substr(9), tails)) {
      warnings.push_back("the environment variable " + printable(name) +
                         " is not known and is left out; did you mean LONGHAUL_" + *near + "?");
    }
  }
}

// Paths may hold bytes that are not UTF-8; printing must not fail for them.
std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool on(const Choice& choice) {
  return choice.values.back() != "false";
}

void set_aside_weaker(Layer& winners) {
  for (const auto& [first, second] : kExclusive) {
    const auto a = winners.find(first);
    const auto b = winners.find(second);
    if (a == winners.end() || b == winners.end() || !on(a->second) || !on(b->second)) {
      continue;
    }
    if (a->second.origin > b->second.origin) {
      winners.erase(b);
    } else if (a->second.origin < b->second.origin) {
      winners.erase(a);
    }
  }
}

}  // namespace

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  for (const Setting& setting : settings_table()) {
    if (!setting.only_on_command_line) {
      names.emplace_back(setting.name);
    }
  }
  return names;
}

void apply(const Setting& setting, const Choice& choice, RunConfig& config) {
  try {
    for (const std::string& value : choice.values) {
      setting.set(config, value);
    }
  } catch (const Error& error) {
    throw Error(error.code(), choice.label + ": " + error.what(), error.remedy());
  }
}

std::string_view to_string(Origin origin) {
  switch (origin) {
    case Origin::kDefault:
      return "default";
    case Origin::kFile:
      return "file";
    case Origin::kEnvironment:
      return "environment";
    case Origin::kFlag:
      return "flag";
  }
  return "default";
}

ResolvedConfig resolve_config(const std::vector<std::pair<std::string, std::string>>& flags,
                              const std::map<std::string, std::string>& environment,
                              const std::optional<json>& file, const std::string& file_name) {
  ResolvedConfig resolved;
  const Layer flag_layer = read_flags(flags);
  Layer environment_layer = read_environment(environment, resolved.warnings);
  add_foreign_environment(environment, flag_layer, environment_layer, resolved);
  warn_about_near_misses(environment, resolved.warnings);
  Layer winners = file ? read_file_layer(*file, file_name, resolved) : Layer{};
  // Every layer is checked, so that a mistake does not lie hidden under a stronger setting.
  const auto check = [](const Layer& layer) {
    for (const auto& [name, choice] : layer) {
      RunConfig scratch;
      apply(*find_setting(name), choice, scratch);
    }
  };
  check(winners);
  for (const Layer* stronger : {&std::as_const(environment_layer), &flag_layer}) {
    check(*stronger);
    for (const auto& [name, choice] : *stronger) {
      winners[name] = choice;
    }
  }
  set_aside_weaker(winners);
  for (const Setting& setting : settings_table()) {
    const std::string name(setting.name);
    const auto found = winners.find(name);
    if (found == winners.end()) {
      resolved.origins[name] = Origin::kDefault;
      continue;
    }
    apply(setting, found->second, resolved.config);
    resolved.origins[name] = found->second.origin;
    if (!found->second.variable.empty()) {
      resolved.variables[name] = found->second.variable;
    }
  }
  return resolved;
}

json describe_config(const ResolvedConfig& resolved, const json& decided) {
  json settings = json::object();
  for (const Setting& setting : settings_table()) {
    if (setting.only_on_command_line) {
      continue;
    }
    const std::string name(setting.name);
    const auto origin = resolved.origins.find(name);
    json& entry = settings[name];
    entry["value"] = setting.get(resolved.config);
    entry["origin"] =
        to_string(origin == resolved.origins.end() ? Origin::kDefault : origin->second);
    const bool open = entry.at("value").is_null() || entry.at("value") == "auto";
    if (open && decided.contains(name)) {
      entry = {{"value", decided.at(name)}, {"origin", "decided"}};
      continue;
    }
    if (const auto variable = resolved.variables.find(name); variable != resolved.variables.end()) {
      entry["variable"] = variable->second;
    }
  }
  return settings;
}

json describe_config(const ResolvedConfig& resolved) {
  return describe_config(resolved, json::object());
}

std::string print_config(const ResolvedConfig& resolved) {
  const json settings = describe_config(resolved);
  const RunConfig& config = resolved.config;
  std::string out = "{\n  \"model\": ";
  out += dump(config.model.empty() ? json(nullptr) : json(config.model));
  out += ",\n  \"inputs\": " + dump(config.inputs) + ",\n  \"settings\": {\n";
  bool first = true;
  for (const Setting& setting : settings_table()) {
    const auto entry = settings.find(std::string(setting.name));
    if (entry == settings.end()) {
      continue;
    }
    out += first ? "" : ",\n";
    first = false;
    const json& value = entry->at("value");
    out += "    \"" + std::string(setting.name) + "\": {\"value\": " +
           dump(value.is_null() && !setting.unset.empty() ? json(setting.unset) : value) +
           ", \"origin\": " + dump(entry->at("origin"));
    if (entry->contains("variable")) {
      out += ", \"variable\": " + dump(entry->at("variable"));
    }
    out += "}";
  }
  return out + "\n  }\n}\n";
}

}  // namespace longhaul::config
