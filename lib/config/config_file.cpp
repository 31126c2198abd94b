// Configuration files: a flat object of settings, or a run.json, whose "settings" are replayed.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "config/layers.hpp"
#include "config/merged_retries.hpp"
#include "config/suggest.hpp"

namespace longhaul::config {
namespace {

using nlohmann::json;

[[noreturn]] void reject(const std::string& what, const std::string& remedy) {
  throw Error(ExitCode::kUsage, what, remedy);
}

// A scalar as the text a flag would have carried. Whole numbers keep all their digits.
std::string scalar_text(const Setting& setting, const json& value, const std::string& label) {
  if (value.is_string()) {
    return value.get<std::string>();
  }
  if (value.is_number() && !setting.is_switch()) {
    return value.dump();
  }
  if (value.is_boolean() && setting.is_switch()) {
    return value.get<bool>() ? "true" : "false";
  }
  reject(label + ": " + printable(value.dump()) + " is not a value for it",
         setting.is_switch() ? "allowed: true, false"
                             : "give " + std::string(setting.value_name) + " as text or a number");
}

// Nothing for null: the setting is left to its default.
std::vector<std::string> value_texts(const Setting& setting, const json& value,
                                     const std::string& label) {
  std::vector<std::string> texts;
  if (value.is_null()) {
    return texts;
  }
  if (!value.is_array()) {
    texts.push_back(scalar_text(setting, value, label));
    return texts;
  }
  if (!setting.repeatable) {
    reject(label + ": takes one value, not a list", "give " + std::string(setting.value_name));
  }
  for (const json& element : value) {
    texts.push_back(scalar_text(setting, element, label));
  }
  return texts;
}

// A path, or an object that has one, as run.json describes files.
std::optional<std::string> path_of(const json& value) {
  if (value.is_string()) {
    return value.get<std::string>();
  }
  if (value.is_object() && value.contains("path") && value.at("path").is_string()) {
    return value.at("path").get<std::string>();
  }
  return std::nullopt;
}

void read_setting(const std::string& key, const json& value, const std::string& file_name,
                  Layer& layer) {
  const std::string label = file_name + ": " + key;
  const Setting* setting = find_setting(key);
  if (setting == nullptr) {
    const std::optional<std::string> near = nearest_word(key, setting_names());
    reject(file_name + ": '" + printable(key) + "' is not a setting",
           near ? "did you mean '" + *near + "'?"
                : "allowed: model, inputs, description, " + join(setting_names(), ", "));
  }
  if (setting->only_on_command_line) {
    reject(label + " is only allowed on the command line",
           "remove it and give --" + key + " when you mean it");
  }
  std::vector<std::string> texts = value_texts(*setting, recorded_value(value), label);
  if (!texts.empty()) {
    layer[key] = {std::move(texts), Origin::kFile, label, ""};
  }
}

void read_positions(const json& file, const std::string& file_name, RunConfig& config) {
  if (file.contains("model") && !file.at("model").is_null()) {
    const std::optional<std::string> path = path_of(file.at("model"));
    if (!path || path->empty()) {
      reject(file_name + ": model is not a path", "give the model file as text");
    }
    config.model = *path;
  }
  // A run.json tells what was asked for (input_paths) apart from the files this came to (inputs).
  const char* key = file.contains("input_paths") ? "input_paths" : "inputs";
  if (file.contains(key) && !file.at(key).is_null()) {
    const json& inputs = file.at(key);
    for (const json& input : inputs.is_array() ? inputs : json::array({inputs})) {
      const std::optional<std::string> path = path_of(input);
      if (!path || path->empty()) {
        reject(file_name + ": " + key + " holds something that is not a path",
               "give a list of files or folders");
      }
      config.inputs.push_back(*path);
    }
  }
}

void apply_retries(const json& file, const std::string& file_name, Layer& layer,
                   ResolvedConfig& resolved) {
  const MergedRetries merged = merge_retries(file);
  for (const auto& [name, value] : merged.settings.items()) {
    layer.erase(name);
    read_setting(name, value, file_name, layer);
  }
  if (!merged.exact) {
    resolved.warnings.push_back(
        file_name +
        ": its rejected records were retried with different settings in turn; a run "
        "with all of them may accept records that no retry accepted");
  }
}

}  // namespace

Layer read_file_layer(const json& file, const std::string& file_name, ResolvedConfig& resolved) {
  if (!file.is_object()) {
    reject(file_name + ": is not a JSON object", "write {\"batch-size\": 32, ...}");
  }
  Layer layer;
  read_positions(file, file_name, resolved.config);
  const bool is_run_report = file.contains("settings");
  if (is_run_report && !file.at("settings").is_object()) {
    reject(file_name + ": settings is not an object", "give a run.json as longhaul wrote it");
  }
  if (is_run_report && file.contains("output") && file.at("output").is_string()) {
    read_setting("output", file.at("output"), file_name, layer);
  }
  for (const auto& [key, value] : (is_run_report ? file.at("settings") : file).items()) {
    if (key != "model" && key != "inputs" && key != "description") {
      read_setting(key, value, file_name, layer);
    }
  }
  if (is_run_report) {
    apply_retries(file, file_name, layer, resolved);
    if (file.value("working_directory", json()).is_string()) {
      resolved.recorded_directory = file.at("working_directory").get<std::string>();
    }
  }
  return layer;
}

json parse_config_text(std::string_view text, const std::string& file_name) {
  std::vector<std::set<std::string>> open_objects;
  std::optional<std::string> repeated;
  const auto watch = [&](int, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) {
      open_objects.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      open_objects.pop_back();
    } else if (event == json::parse_event_t::key) {
      const std::string key = parsed.get<std::string>();
      if (!open_objects.back().insert(key).second) {
        repeated = key;
      }
    }
    return true;
  };
  json file;
  try {
    file = json::parse(text, watch);
  } catch (const json::parse_error& error) {
    const auto stop = std::min<std::size_t>(error.byte == 0 ? 0 : error.byte - 1, text.size());
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(stop), '\n');
    reject(file_name + ": is not JSON: line " + std::to_string(line), "correct the file");
  }
  if (repeated) {
    reject(file_name + ": '" + printable(*repeated) + "' is given twice", "keep one of them");
  }
  if (!file.is_object()) {
    reject(file_name + ": is not a JSON object", "write {\"batch-size\": 32, ...}");
  }
  return file;
}

}  // namespace longhaul::config
