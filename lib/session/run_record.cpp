#include "session/run_record.hpp"

#include <utility>

#include "session/auto_settings.hpp"
#include "session/output_state.hpp"
#include "session/run_json.hpp"
#include "session/session_checks.hpp"

namespace longhaul::session {

using nlohmann::json;

namespace {

// What this session was told; where nobody says anything, settings are what they always are.
json told_settings(const config::ResolvedConfig& resolved) {
  json told = json::object();
  const json all = config::describe_config(resolved);
  for (const auto& [name, setting] : all.items()) {
    if (name != "output" && setting.at("origin") != "default") {
      told[name] = setting.at("value");
    }
  }
  return told;
}

// The choices of a run's first session that later ones were told otherwise: name -> value.
json kept_choices(const config::RunConfig& config, const encode::EncoderCard& card,
                  const Choices& choices) {
  json kept = json::object();
  if (card.modality == Modality::kImage) {
    return kept;  // their windows and order are not the settings'
  }
  if (choices.window != config.window) {
    kept["window"] = choices.window;
  }
  if (choices.order != config.order) {
    kept["order"] = to_string(choices.order);
  }
  return kept;
}

}  // namespace

RunRecord::RunRecord(const RecordedRun& run, const RunBegin& begin, bool resumed)
    : run_(run), fingerprint_(begin.fingerprint), previous_(json::object()) {
  const config::RunConfig& config = run.resolved.config;
  if (resumed) {
    previous_ = previous_report(run.host.files, run.mode.facts().path, run.host.log);
  }
  if (run.mode.follows() && previous_.empty()) {
    previous_ = previous_report(run.host.files, run.mode.facts().output, run.host.log);
  }
  if (run.mode.follows()) {
    drift_ = previous_.value("fast_decode", json(nullptr));
  }
  if (!run.mode.facts().sha256) {
    hashes_ =
        std::make_unique<InputHashes>(files_to_hash(run.input.sources, config, run.model.card),
                                      previous_.value("inputs", json::array()));
  }
  device::Device& device = run.engine.encoder->device();
  session_ = run.host.facts.session;
  session_.update({{"machine", run.host.facts.machine(device.name())},
                   {"threads", run.options.threads},
                   {"threads_from", config.threads ? "--threads" : run.host.facts.threads_from},
                   {"settings", told_settings(run.resolved)},
                   {"longhaul", run.host.facts.versions}});
  if (run.mode.follows()) {
    kept_ = kept_choices(config, run.model.card, run.engine.choices);
    const json told = session_.at("settings");
    for (const auto& [name, value] : kept_.items()) {
      if (told.contains(name)) {
        run.host.log.warning("--" + name +
                             " is not used: the run goes on with that of its first session, " +
                             (value.is_string() ? value.get<std::string>() : value.dump()));
      }
    }
  }
  for (std::string& reason :
       numeric_reasons(begin, run.host.facts.bits_machine(device), run.engine.contract)) {
    if (run.mode.follows()) {
      run.host.log.info("low bits may differ between sessions: " + reason);
    }
    numeric_.insert(std::move(reason));
  }
  if (previous_.value("bits", "exact") == "numeric") {
    for (const json& reason :
         previous_.value("bits_reasons", json::array({"an earlier session"}))) {
      numeric_.insert(reason.get<std::string>());
    }
  }
  if (run.input.from) {
    note_reshaped(counters_from_json(run.input.from->counters));
  }
}

void RunRecord::note_reshaped(const Counters& counters) {
  if (counters.reshaped > 0) {
    numeric_.insert("vectors were computed in smaller parts, for want of memory");
  }
  if (counters.computed_alone > 0) {
    numeric_.insert("vectors that were not finite were computed once more, by themselves");
  }
}

std::vector<json> RunRecord::input_hashes() const {
  if (hashes_) {
    return hashes_->so_far();
  }
  std::vector<json> known;
  for (const std::string& hash : *run_.mode.facts().sha256) {
    known.push_back(hash.empty() ? json(nullptr) : json(hash));
  }
  return known;
}

void RunRecord::wait_for_hashes(const std::function<bool()>& stop) const {
  if (hashes_) {
    hashes_->wait(stop);
  }
}

nlohmann::ordered_json RunRecord::report(const std::string& state, std::optional<ExitCode> code,
                                         const std::optional<json>& counts) {
  const config::RunConfig& config = run_.resolved.config;
  json settings =
      describe_config(run_.resolved, decided_settings(run_.engine.choices, run_.options));
  for (const auto& [name, value] : kept_.items()) {
    settings[name] = {{"value", value}, {"origin", "decided"}};
  }
  tell("encoder", run_.engine.encoder->report());
  tell("stop", code ? json(run_.host.utc_now()) : json(nullptr));
  tell("state", state);
  return run_.mode.report(run_json(
      {.state = state,
       .code = code,
       .counts = counts ? *counts : committed_counts(run_.host.files, run_.mode.facts().output),
       .inputs = describe_inputs(run_.input.sources, input_hashes()),
       .bits_reasons = numeric_,
       .contract = run_.engine.contract.report,
       .fast_decode = drift_,
       .settings = std::move(settings),
       .choices = to_json(run_.engine.choices),
       .fingerprint = fingerprint_,
       .session = session_,
       .earlier_sessions = previous_.value("sessions", json::array()),
       .versions = run_.host.facts.versions},
      config, run_.model));
}

}  // namespace longhaul::session
