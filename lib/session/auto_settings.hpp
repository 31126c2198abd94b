// The choices that a run makes once and keeps in its journal, and the settings of the pipeline and
// the governor that follow from them.
// Pure functions; any thread.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "config/run_config.hpp"
#include "device/memory_reading.hpp"
#include "encode/card.hpp"
#include "encode/encoder.hpp"
#include "plan/memory_governor.hpp"
#include "run/pipeline.hpp"
#include "session/run_begin.hpp"

namespace longhaul::session {

// What the encoder that was loaded says of itself.
struct EncoderFacts {
  std::string device_kind;  // cpu, cuda, mps
  plan::RowsPolicy parts;
  nlohmann::json choices;
};

// Every automatic choice: for the first session of a run.
Choices make_choices(const config::RunConfig& config, const encode::EncoderCard& card,
                     const EncoderFacts& encoder, std::uint32_t threads);

// `choices` are make_choices()' of the first session; the rest is this session's own.
// `concurrency`: how many parts the encoder computes at a time.
run::PipelineSettings pipeline_settings(const config::RunConfig& config,
                                        const encode::EncoderCard& card, const Choices& choices,
                                        std::uint32_t concurrency);

// What became of settings that were left open; a replay of run.json takes them over.
nlohmann::json decided_settings(const Choices& choices, const encode::EncoderOptions& encoder);

run::LeakAction leak_action(const config::RunConfig& config);  // --on-leak

// `now` is a reading before the first batch.
plan::GovernorSettings governor_settings(const config::RunConfig& config,
                                         const encode::EncoderCard& card,
                                         const run::PipelineSettings& pipeline,
                                         const device::MemoryReading& now,
                                         encode::Encoder& encoder);

// --memory-limit, else 80 % of the memory that this process may have.
std::optional<std::uint64_t> host_limit(const config::RunConfig& config,
                                        const device::MemoryReading& now);

}  // namespace longhaul::session
