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
  const Clock::time_point start = parts.now();
  const device::MemoryReading before = parts.read_host_memory();
  plan::require_room_for_model(parts.files.open(parts.config.model, OpenMode::kRead)->size(),
                               before, host_limit(parts.config, before));
  auto encoder = parts.workshop.models.make_encoder(parts.model, parts.options, parts.log);
  parts.log.info(parts.model.card.name + " on " + encoder->device().name() + ", " +
                 std::string(to_string(parts.config.dtype)) + ", " +
                 (parts.options.pooling == Pooling::kNone
                      ? "residues alone"
                      : std::string(to_string(parts.options.pooling))) +
                 ", " + std::to_string(encoder->outputs().front().dimension) +
                 " dimensions, loaded in " + format_duration(parts.now() - start));
  return encoder;
}

// Rows that stand beside others are not compared: what repeats a row that has a vector gets one of
// its own.
std::unique_ptr<Compared> what_is_compared(const EngineParts& parts, const EngineTerms& terms) {
  return parts.config.skip_duplicates == SkipDuplicates::kOff || !terms.compares
             ? nullptr
             : std::make_unique<Compared>(duplicate_key(parts.config));
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

EngineTerms terms_of(Mode& mode) {
  EngineTerms terms;
  if (const std::optional<RunBegin>& before = mode.follows()) {
    terms.choices = &before->choices;
    terms.require_same_settings = [&mode](const nlohmann::json& fingerprint) {
      mode.require_same_settings(fingerprint);
    };
  }
  terms.compares = mode.facts().whole;
  terms.stopping_limits = mode.facts().stopping_limits;
  return terms;
}

Engine make_engine(const EngineParts& parts, const EngineTerms& terms) {
  Engine engine;
  engine.encoder = load(parts);
  const std::string kind(to_string(engine.encoder->device().kind()));
  const std::uint32_t threads = parts.options.threads;
  engine.fingerprint =
      fingerprint(parts.config, parts.model.card, parts.options, parts.model.sha256(), kind);
  if (terms.require_same_settings) {
    terms.require_same_settings(engine.fingerprint);
  }
  engine.fp32_fallback = fp32_fallback(parts.workshop, parts.model, parts.options, parts.log);
  engine.duplicates = what_is_compared(parts, terms);
  engine.preprocessor = parts.workshop.make_preprocessor(
      parts.config, parts.model.card, parts.config.workers.value_or(threads),
      engine.duplicates ? first_finder(*engine.duplicates) : DuplicateOf{});
  engine.choices = terms.choices ? *terms.choices
                                 : make_choices(parts.config, parts.model.card,
                                                {.device_kind = kind,
                                                 .parts = engine.encoder->rows_policy(),
                                                 .choices = engine.encoder->choices()},
                                                threads);
  engine.pipeline = pipeline_settings(parts.config, parts.model.card, engine.choices,
                                      engine.encoder->concurrency());
  engine.limits = governor_settings(parts.config, parts.model.card, engine.pipeline,
                                    parts.read_memory(*engine.encoder), *engine.encoder);
  engine.governor = std::make_unique<plan::MemoryGovernor>(engine.limits);
  engine.contract = require_contract(*engine.encoder, parts.model.card, parts.config,
                                     engine.pipeline, *engine.governor, parts.log);
  engine.pipeline.rejects = stopping_limits(engine.pipeline.rejects, terms.stopping_limits);
  return engine;
}

}  // namespace longhaul::session
