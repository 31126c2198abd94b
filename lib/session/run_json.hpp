// run.json: its fields in the order in which a person reads them.
// Pure functions but for paths made absolute; any thread.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/run_config.hpp"
#include "encode/model_file.hpp"
#include "input/source_identity.hpp"

namespace longhaul::session {

// "inputs": what is recorded of each source, and its SHA-256 where that is known.
nlohmann::json describe_inputs(const std::vector<input::SourceIdentity>& sources,
                               const std::vector<nlohmann::json>& hashes);

struct RunJson {
  std::string state;  // running, complete, interrupted, recycled, or what failed
  std::optional<ExitCode> code;
  nlohmann::json counts;
  nlohmann::json inputs;               // describe_inputs()
  std::set<std::string> bits_reasons;  // why bits are numeric; none: they are exact
  nlohmann::json contract;             // what the encoder promised at its load
  nlohmann::json fast_decode;          // decode_drift(); null: images are decoded whole
  nlohmann::json settings;             // describe_config()
  nlohmann::json choices;
  nlohmann::json fingerprint;
  nlohmann::json session;  // this one, whose machine and command line go on top
  nlohmann::json earlier_sessions;
  nlohmann::json versions;  // of the program and its libraries
};

nlohmann::ordered_json run_json(const RunJson& run, const config::RunConfig& config,
                                const encode::ModelFile& model);

}  // namespace longhaul::session
