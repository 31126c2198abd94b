#include "run_choices.hpp"

#include <algorithm>
#include <iterator>

#include "plan/window.hpp"

namespace longhaul::app {
namespace {

constexpr std::uint32_t kCompatRows = 32;  // --order input without --batch-size, as the field does
constexpr std::uint32_t kImageRows = 16;
// On a CPU the size of a batch cannot change a result, so the run times these and keeps the best.
constexpr std::uint64_t kTriedTokens[] = {2048, 4096, 8192, 16384};
constexpr std::uint64_t kFixedTokens = 32768;     // where the row count makes the bits: GPUs
constexpr std::uint32_t kImageWindowBatches = 4;  // an image window is the unit of commit
constexpr std::uint32_t kWidestUnlimited = 8192;  // tokens, where a model sets no limit
constexpr double kHostShare = 0.8;
constexpr double kDeviceShare = 0.9;

std::optional<std::uint64_t> share(std::optional<std::uint64_t> bytes, double part) {
  if (!bytes) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(static_cast<double>(*bytes) * part);
}

std::optional<std::uint64_t> smaller(std::optional<std::uint64_t> a,
                                     std::optional<std::uint64_t> b) {
  return a && b ? std::min(a, b) : (a ? a : b);
}

}  // namespace

nlohmann::json make_choices(const RunConfig& config, const EncoderCard& card,
                            const EncoderFacts& encoder, std::uint32_t threads) {
  const bool image = card.modality == Modality::kImage;
  const bool input_order = config.order == "input" || image;
  nlohmann::json choices = {
      {"window", config.window},
      {"order", input_order ? "input" : "length"},
      {"fixed_rows", encoder.fixed_rows},
      {"device", config.device == "auto" ? encoder.device_kind : config.device},
      {"threads", threads},
      {"encoder", encoder.choices}};
  if (input_order) {
    const std::uint32_t rows = config.batch_size.value_or(image ? kImageRows : kCompatRows);
    choices["group_rows"] = rows;
    if (image) {
      choices["window"] = std::min(config.window, rows * kImageWindowBatches);
    }
  } else if (encoder.fixed_rows) {
    // The bits depend on these, so no later session may change them.
    if (config.batch_size) {
      choices["batch_rows"] = *config.batch_size;
    } else {
      choices["batch_tokens"] = config.batch_tokens.value_or(kFixedTokens);
    }
  }
  return choices;
}

PipelineSettings pipeline_settings(const RunConfig& config, const EncoderCard& card,
                                   const nlohmann::json& choices) {
  PipelineSettings settings;
  const bool input_order = choices.at("order") == "input";
  settings.window.records = choices.at("window");
  settings.window.order.order = input_order ? Order::kInput : Order::kLength;
  settings.window.order.group_rows = choices.value("group_rows", 0U);
  settings.window.order.max_tokens = card.max_tokens;
  settings.fixed_rows = choices.at("fixed_rows");
  if (input_order) {
    settings.batch_rows = settings.window.order.group_rows;
  } else if (choices.contains("batch_rows")) {
    settings.batch_rows = choices.at("batch_rows").get<std::uint32_t>();
  } else if (choices.contains("batch_tokens")) {
    settings.batch_tokens = choices.at("batch_tokens").get<std::uint64_t>();
  } else if (config.batch_size) {
    settings.batch_rows = config.batch_size;
  } else if (config.batch_tokens) {
    settings.batch_tokens = config.batch_tokens;
  } else {
    settings.batch_tokens = *std::rbegin(kTriedTokens);
    settings.tune_tokens.assign(std::begin(kTriedTokens), std::end(kTriedTokens));
  }
  settings.commit_inside_windows = card.modality != Modality::kImage;
  settings.copy_to_duplicates = config.skip_duplicates == SkipDuplicates::kExact;
  settings.commit_every = config.commit_every;
  settings.clear_cache_every = config.clear_cache_every;
  settings.stop_after_batches = config.recycle_every;
  settings.rejects.count =
      config.strict ? std::optional<std::uint64_t>(0) : config.max_rejects.count;
  settings.rejects.percent = config.max_rejects.percent;
  return settings;
}

nlohmann::json decided_settings(const nlohmann::json& choices, const PipelineSettings& settings,
                                const EncoderOptions& encoder, const RunConfig& config) {
  nlohmann::json values = {{"device", choices.at("device")},
                           {"threads", encoder.threads},
                           {"pooling", to_string(encoder.pooling)},
                           {"normalize", to_string(encoder.normalize)}};
  if (const nlohmann::json& kernels = choices.at("encoder"); kernels.contains("kernels")) {
    values["cpu-kernels"] = kernels.at("kernels");
  }
  if (settings.batch_rows) {
    values["batch-size"] = *settings.batch_rows;
  } else if (settings.batch_tokens && !config.batch_size) {
    values["batch-tokens"] = *settings.batch_tokens;
  }
  return values;
}

LeakAction leak_action(const RunConfig& config) {
  switch (config.on_leak) {
    case OnLeak::kStop:
      return LeakAction::kStop;
    case OnLeak::kRecycle:
      return LeakAction::kRecycle;
    case OnLeak::kWarn:
      break;
  }
  return LeakAction::kContinue;
}

GovernorSettings governor_settings(const RunConfig& config, const EncoderCard& card,
                                   const PipelineSettings& pipeline, const MemoryReading& now,
                                   DeviceKind device) {
  GovernorSettings settings;
  // The cost of the largest batch that the limits allow.
  const std::uint32_t widest = card.max_tokens.value_or(kWidestUnlimited);
  settings.start_budget =
      pipeline.batch_tokens
          ? static_cast<double>(*pipeline.batch_tokens) * cost_per_row(widest) / widest
          : pipeline.batch_rows.value_or(1) * cost_per_row(widest);
  settings.host_limit_bytes = host_limit(config, now);
  settings.device_limit_bytes =
      config.device_memory_limit
          ? config.device_memory_limit
          : share(now.device.recommended ? now.device.recommended : now.device.total, kDeviceShare);
  settings.shared_memory = device != DeviceKind::kCuda;
  return settings;
}

std::optional<std::uint64_t> host_limit(const RunConfig& config, const MemoryReading& now) {
  return config.memory_limit ? config.memory_limit
                             : share(smaller(now.cgroup_limit, now.total), kHostShare);
}

}  // namespace longhaul::app
