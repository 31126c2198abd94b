// What computes: the encoder, what prepares for it, how much is in hand at a time, and what was
// tried with it on the spot. One thread makes and uses it. Throws Error.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "encode/contract.hpp"
#include "encode/encoder.hpp"
#include "encode/model_file.hpp"
#include "plan/memory_governor.hpp"
#include "run/pipeline.hpp"
#include "session/mode.hpp"
#include "session/resume_scan.hpp"

namespace longhaul::session {

struct Engine {
  std::unique_ptr<encode::Encoder> encoder;
  std::function<encode::Encoder&()> fp32_fallback;  // empty at float32
  std::unique_ptr<Compared> duplicates;             // null where nobody compares
  std::unique_ptr<prepare::Preprocessor> preprocessor;
  nlohmann::json fingerprint;  // of this run, on the device that it has
  Choices choices;
  run::PipelineSettings pipeline;
  plan::GovernorSettings limits;  // the governor's
  std::unique_ptr<plan::MemoryGovernor> governor;
  encode::Contract contract;
};

// What it is made from; outlives it.
struct EngineParts {
  const config::RunConfig& config;
  const encode::ModelFile& model;
  const encode::EncoderOptions& options;
  Files& files;
  const Workshop& workshop;
  Log& log;
  const std::function<Clock::time_point()>& now;
  std::function<device::MemoryReading()> read_host_memory;
  std::function<device::MemoryReading(encode::Encoder& encoder)> read_memory;
};

// What is settled about the run before.
struct EngineTerms {
  const Choices* choices = nullptr;  // of the run that it goes on with; null: they are made
  // Throws Error(kMismatch) where the run has other settings; may be empty.
  std::function<void(const nlohmann::json& fingerprint)> require_same_settings;
  bool compares = true;  // finds duplicates itself
  StoppingLimits stopping_limits = StoppingLimits::kAll;
};
EngineTerms terms_of(Mode& mode);  // borrows it

// Loads the model, decides what is open and tries the encoder's promise (encode/contract.hpp). What
// needs no model is looked at before, by require_fitting_settings().
Engine make_engine(const EngineParts& parts, const EngineTerms& terms);

}  // namespace longhaul::session
