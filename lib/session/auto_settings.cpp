#include "session/auto_settings.hpp"

#include <algorithm>

#include "plan/window.hpp"
#include "session/encoder_options.hpp"

namespace longhaul::session {
namespace {

constexpr std::uint32_t kCompatRows = 32;   // --order input without --batch-size, as the field does
constexpr std::uint32_t kImageWindow = 64;  // an image window is the unit of commit
// Parts in hand for each that is computed: what is over when the last one of them ends is little.
constexpr std::uint32_t kPartsAhead = 4;
// The same in tokens, where parts are small: threads wait for the last part of a batch.
constexpr std::uint64_t kTokensAhead = 6144;
constexpr std::uint32_t kMostRows = 256;          // in hand, where a part has no size in tokens
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

Choices make_choices(const config::RunConfig& config, const encode::EncoderCard& card,
                     const EncoderFacts& encoder, std::uint32_t threads) {
  const bool image = card.modality == Modality::kImage;
  Choices choices;
  choices.window = image ? std::min(config.window, kImageWindow) : config.window;
  choices.order = image ? Order::kInput : config.order;
  choices.device = config.device == "auto" ? encoder.device_kind : config.device;
  choices.threads = threads;
  choices.encoder = encoder.choices;
  // The bits depend on these, so no later session may change them.
  if (image) {
    choices.part_images = encoder.parts.rows(1);
  } else if (config.order == Order::kInput) {
    choices.group_rows = config.batch_size.value_or(kCompatRows);
  } else if (encoder.parts.part_tokens > 0) {
    choices.part_tokens = encoder.parts.part_tokens;
    choices.rungs = encoder.parts.rungs;
  } else {
    choices.part_rows = encoder.parts.rows_fixed;
  }
  return choices;
}

run::PipelineSettings pipeline_settings(const config::RunConfig& config,
                                        const encode::EncoderCard& card, const Choices& choices,
                                        std::uint32_t concurrency) {
  run::PipelineSettings settings;
  settings.window.records = choices.window;
  settings.window.order.order = choices.order;
  settings.window.order.max_tokens = card.max_tokens;
  settings.parts = choices.rows_policy();
  settings.window.order.rungs = settings.parts.rungs;
  settings.normalize = normalize_of(config, card);
  settings.window.order.group_rows = choices.group_rows.value_or(settings.parts.rows_fixed);
  const std::uint64_t parts = std::uint64_t{kPartsAhead} * concurrency;
  if (choices.group_rows) {
    // A group is a part; one for each thread is in hand.
    settings.batch_rows = settings.window.order.group_rows * concurrency;
  } else if (config.batch_size) {
    settings.batch_rows = config.batch_size;
  } else if (config.batch_tokens) {
    settings.batch_tokens = config.batch_tokens;
  } else if (settings.parts.part_tokens > 0) {
    settings.batch_tokens =
        std::max(settings.parts.part_tokens * parts, kTokensAhead * concurrency);
  } else {
    settings.batch_rows = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(settings.parts.rows_fixed * parts, kMostRows));
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

nlohmann::json decided_settings(const Choices& choices, const encode::EncoderOptions& encoder) {
  nlohmann::json values = {{"device", choices.device},
                           {"threads", encoder.threads},
                           {"pooling", to_string(encoder.pooling)},
                           {"normalize", to_string(encoder.normalize)}};
  if (const nlohmann::json& kernels = choices.encoder; kernels.contains("kernels")) {
    values["cpu-kernels"] = kernels.at("kernels");
  }
  if (choices.group_rows) {
    values["batch-size"] = *choices.group_rows;
  }
  return values;
}

run::LeakAction leak_action(const config::RunConfig& config) {
  switch (config.on_leak) {
    case OnLeak::kStop:
      return run::LeakAction::kStop;
    case OnLeak::kRecycle:
      return run::LeakAction::kRecycle;
    case OnLeak::kWarn:
      break;
  }
  return run::LeakAction::kContinue;
}

plan::GovernorSettings governor_settings(const config::RunConfig& config,
                                         const encode::EncoderCard& card,
                                         const run::PipelineSettings& pipeline,
                                         const device::MemoryReading& now,
                                         encode::Encoder& encoder) {
  plan::GovernorSettings settings;
  // The cost of the dearest parts that are computed at a time.
  const std::uint32_t widest = card.max_tokens.value_or(kWidestUnlimited);
  const std::uint64_t rows = std::max(pipeline.parts.rows_fixed, pipeline.window.order.group_rows);
  const auto tokens = static_cast<double>(
      pipeline.parts.part_tokens > 0 ? std::max<std::uint64_t>(pipeline.parts.part_tokens, widest)
                                     : std::max<std::uint64_t>(rows, 1) * widest);
  const double in_hand = pipeline.batch_tokens
                             ? static_cast<double>(*pipeline.batch_tokens) / tokens
                             : pipeline.batch_rows.value_or(1);
  settings.part_cost = tokens / widest * plan::cost_per_row(widest);
  settings.start_budget =
      settings.part_cost * std::clamp(in_hand, 1.0, static_cast<double>(encoder.concurrency()));
  settings.host_limit_bytes = host_limit(config, now);
  settings.device_limit_bytes =
      config.device_memory_limit
          ? config.device_memory_limit
          : share(now.device.recommended ? now.device.recommended : now.device.total, kDeviceShare);
  settings.shared_memory = encoder.device().kind() != device::DeviceKind::kCuda;
  return settings;
}

std::optional<std::uint64_t> host_limit(const config::RunConfig& config,
                                        const device::MemoryReading& now) {
  return config.memory_limit ? config.memory_limit
                             : share(smaller(now.cgroup_limit, now.total), kHostShare);
}

}  // namespace longhaul::session
