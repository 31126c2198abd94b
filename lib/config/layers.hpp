// The layers a configuration is made from, as lists of choices that remember where they came from.
// Internal to this room.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "config/run_config.hpp"

namespace longhaul::config {

// What one source says about one setting.
struct Choice {
  std::vector<std::string> values;  // several only for repeatable settings
  Origin origin = Origin::kDefault;
  std::string label;  // for messages: "--batch-size", "LONGHAUL_BATCH_SIZE", "a.json: batch-size"
  std::string variable;  // the environment variable, if it was one
};
using Layer = std::map<std::string, Choice>;  // by setting name

// The file's settings; model and inputs go to `resolved`.
Layer read_file_layer(const nlohmann::json& file, const std::string& file_name,
                      ResolvedConfig& resolved);

// Variables of the original systems, for the settings that neither a flag nor a LONGHAUL_ variable
// decides. Adds to `environment_layer`, and says in `resolved` what was used and what made no
// sense.
void add_foreign_environment(const std::map<std::string, std::string>& environment,
                             const Layer& flags, Layer& environment_layer,
                             ResolvedConfig& resolved);

// Sets `choice` on `config`; an Error is told apart by the choice's label.
void apply(const Setting& setting, const Choice& choice, RunConfig& config);

std::vector<std::string> setting_names();

}  // namespace longhaul::config
