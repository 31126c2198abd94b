// What run.json tells of a run, gathered while a session goes on. The session's thread.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/run_config.hpp"
#include "session/engine.hpp"
#include "session/input_hashes.hpp"
#include "session/mode.hpp"
#include "session/session_input.hpp"

namespace longhaul::session {

// Borrows what it is given.
struct RecordedRun {
  const config::ResolvedConfig& resolved;
  const encode::ModelFile& model;
  const encode::EncoderOptions& options;
  const Host& host;
  const Mode& mode;
  const SessionInput& input;
  const Engine& engine;
};

class RunRecord {
 public:
  // Reads run.json of the sessions before, and begins to hash the input's files.
  RunRecord(const RecordedRun& run, const RunBegin& begin, bool resumed);

  // Vectors that were computed otherwise than in their own shape make the bits numeric.
  void note_reshaped(const Counters& counters);
  // How far vectors are from those of images that are decoded whole: a run's first session says it.
  bool knows_drift() const { return !drift_.is_null(); }
  void tell_drift(nlohmann::json drift) { drift_ = std::move(drift); }
  // "timings", "memory"...: a part of what is told of this session.
  void tell(const std::string& name, nlohmann::json what) { session_[name] = std::move(what); }
  // Until the hashes of all files are known, or `stop` says so.
  void wait_for_hashes(const std::function<bool()>& stop) const;

  // The whole of run.json as it stands; without `counts` those of what is committed.
  nlohmann::ordered_json report(const std::string& state, std::optional<ExitCode> code,
                                const std::optional<nlohmann::json>& counts = std::nullopt);

 private:
  std::vector<nlohmann::json> input_hashes() const;

  const RecordedRun run_;
  const nlohmann::json fingerprint_;
  nlohmann::json previous_;
  nlohmann::json session_;
  nlohmann::json drift_;
  nlohmann::json kept_ = nlohmann::json::object();  // choices that this session was told otherwise
  std::set<std::string> numeric_;                   // why low bits may differ; empty: they may not
  std::unique_ptr<InputHashes> hashes_;             // none where the mode knows them
};

}  // namespace longhaul::session
