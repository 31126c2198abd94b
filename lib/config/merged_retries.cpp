#include "config/merged_retries.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace longhaul::config {
namespace {

using nlohmann::json;

// Values with which a retry accepts more records. No two of one setting meet: RetryMode refuses it.
constexpr std::array<std::pair<const char*, const char*>, 3> kAllowing{
    {{"too-long", "truncate"}, {"too-long", "window"}, {"unknown", "token"}}};
// Those of memory: the last retry's let fit what fitted.
constexpr std::array kRoom{"memory-limit", "device-memory-limit", "batch-size", "batch-tokens"};
// Those of limits: the last retry's gave the exit code.
constexpr std::array kLimits{"max-rejects", "strict"};

}  // namespace

const json& recorded_value(const json& value) {
  return value.is_object() && value.contains("value") ? value.at("value") : value;
}

MergedRetries merge_retries(const json& run_report) {
  MergedRetries merged;
  const json retries = run_report.value("retries", json::array());
  if (retries.empty()) {
    return merged;
  }
  json first = json::object();  // what the run itself was made with
  const json settings_of_run = run_report.value("settings", json::object());
  for (const auto& [name, value] : settings_of_run.items()) {
    first[name] = recorded_value(value);
  }
  std::vector<json> all{first};
  for (const json& retry : retries) {
    all.push_back(retry.value("settings", json::object()));
    for (const char* name : kRoom) {
      if (const json change = retry.value("changed", json::object()); change.contains(name)) {
        merged.settings[name] = change.at(name).value("now", json());
      }
    }
  }
  const json last = retries.back().value("changed", json::object());
  for (const char* name : kLimits) {
    if (last.contains(name)) {
      merged.settings[name] = last.at(name).value("now", json());
    }
  }
  const auto allows = [](const json& settings, const auto& allowing) {
    return settings.value(allowing.first, json()) == allowing.second;
  };
  std::uint64_t pixels = 0;
  for (const json& settings : all) {
    for (const auto& allowing : kAllowing) {
      if (allows(settings, allowing) && !merged.settings.contains(allowing.first)) {
        merged.settings[allowing.first] = allowing.second;
        if (std::string_view(allowing.second) == "window") {
          merged.settings["window-overlap"] = settings.value("window-overlap", json());
        }
      }
    }
    const json these = settings.value("max-pixels", json());
    pixels = std::max(pixels, these.is_number_unsigned() ? these.get<std::uint64_t>() : 0);
  }
  if (pixels > 0) {
    merged.settings["max-pixels"] = pixels;
  }
  // What they allowed together, one of them allowed alone.
  merged.exact = std::any_of(all.begin(), all.end(), [&](const json& settings) {
    return std::all_of(kAllowing.begin(), kAllowing.end(), [&](const auto& allowing) {
      return merged.settings.value(allowing.first, json()) != allowing.second ||
             allows(settings, allowing);
    });
  });
  return merged;
}

}  // namespace longhaul::config
