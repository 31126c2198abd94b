#include "session/engine.hpp"

#include <string>

#include "base/text.hpp"
#include "plan/model_memory_check.hpp"
#include "session/auto_settings.hpp"
#include "session/fp32_fallback.hpp"
#include "session/run_identity.hpp"
#include "session/session_checks.hpp"

namespace longhaul::session {
namespace {

std::unique_ptr<encode::Encoder> load(const EngineParts& parts) {
  const Clock::time_point start = parts.host.now();
  const device::MemoryReading before = parts.read_host_memory();
  plan::require_room_for_model(parts.host.files.open(parts.config.model, OpenMode::kRead)->size(),
                               before, host_limit(parts.config, before));
  auto encoder =
      parts.host.workshop.models.make_encoder(parts.model, parts.options, parts.host.log);
  parts.host.log.info(parts.model.card.name + " on " + encoder->device().name() + ", " +
                      std::string(to_string(parts.config.dtype)) + ", " +
                      (parts.options.pooling == Pooling::kNone
                           ? "residues alone"
                           : std::string(to_string(parts.options.pooling))) +
                      ", " + std::to_string(encoder->outputs().front().dimension) +
                      " dimensions, loaded in " + format_duration(parts.host.now() - start));
  return encoder;
}

// Those that repeat others are not computed, so that batches of the input's order would be others.
void require_fit_for_sequences(const config::RunConfig& config) {
  if (config.skip_duplicates == SkipDuplicates::kDhash) {
    throw Error(ExitCode::kUsage, "--skip-duplicates dhash is for images",
                "use --skip-duplicates exact, or leave it out");
  }
  if (config.order == Order::kInput || config.pooling == Pooling::kMeanCompat) {
    throw Error(
        ExitCode::kUsage,
        "--skip-duplicates does not go with --order input, where a row depends on its batch",
        "use --order length, or leave out --skip-duplicates");
  }
}

// Rows that stand beside others are not compared: what repeats a row that has a vector gets one of
// its own.
std::unique_ptr<Compared> what_is_compared(const EngineParts& parts, const Mode& mode) {
  if (parts.config.skip_duplicates == SkipDuplicates::kOff) {
    return nullptr;
  }
  if (parts.model.card.modality != Modality::kImage) {
    require_fit_for_sequences(parts.config);
  }
  if (!mode.facts().whole) {
    return nullptr;
  }
  return std::make_unique<Compared>(duplicate_key(parts.config));
}

run::RejectLimits stopping_limits(const run::RejectLimits& asked, StoppingLimits which) {
  switch (which) {
    case StoppingLimits::kAll:
      return asked;
    case StoppingLimits::kCount:
      return {.count = asked.count, .percent = std::nullopt};
    case StoppingLimits::kNone:
      break;
  }
  return {};
}

}  // namespace

Engine make_engine(const EngineParts& parts, Mode& mode) {
  Engine engine;
  engine.encoder = load(parts);
  const std::string kind(to_string(engine.encoder->device().kind()));
  const std::uint32_t threads = parts.options.threads;
  engine.fingerprint =
      fingerprint(parts.config, parts.model.card, parts.options, parts.model.sha256(), kind);
  if (mode.follows()) {
    mode.require_same_settings(engine.fingerprint);
  }
  engine.fp32_fallback =
      fp32_fallback(parts.host.workshop, parts.model, parts.options, parts.host.log);
  engine.duplicates = what_is_compared(parts, mode);
  engine.preprocessor = parts.host.workshop.make_preprocessor(
      parts.config, parts.model.card, parts.config.workers.value_or(threads),
      engine.duplicates ? first_finder(*engine.duplicates) : DuplicateOf{});
  engine.choices = mode.follows() ? mode.follows()->choices
                                  : make_choices(parts.config, parts.model.card,
                                                 {.device_kind = kind,
                                                  .parts = engine.encoder->rows_policy(),
                                                  .choices = engine.encoder->choices()},
                                                 threads);
  engine.pipeline = pipeline_settings(parts.config, parts.model.card, engine.choices,
                                      engine.encoder->concurrency());
  engine.governor = std::make_unique<plan::MemoryGovernor>(
      governor_settings(parts.config, parts.model.card, engine.pipeline,
                        parts.read_memory(*engine.encoder), *engine.encoder));
  engine.contract = require_contract(*engine.encoder, parts.model.card, parts.config,
                                     engine.pipeline, *engine.governor, parts.host.log);
  engine.pipeline.rejects = stopping_limits(engine.pipeline.rejects, mode.facts().stopping_limits);
  return engine;
}

}  // namespace longhaul::session
