// --retry-rejects: the rejected rows of a complete output are embedded by a run of their own, in a
// directory inside the output, and merged into it when that run is finished
// (store/retry_merge.hpp). This is what such a run has of its own; a session uses it where it
// differs from any other run. One thread. Throws Error.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/log.hpp"
#include "config/run_config.hpp"
#include "domain/counters.hpp"
#include "run/rejected_reader.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::session {

class RetryRun {
 public:
  // `output` is the state of the output in config.output, whose lock the caller holds. Throws
  // Error(kUsage) when it is not complete, or when its rows depend on their neighbours.
  RetryRun(Files& files, const config::RunConfig& config,
           const std::optional<store::StoreState>& output);

  std::uint64_t rejected() const { return before_.rejected; }
  // The exit code of the output as it is.
  ExitCode code_before() const;
  // What the retry begins with: what the output began with, but for the settings that may change.
  const nlohmann::json& begin() const { return begin_; }
  // The retry's own directory. What is there of a retry with other settings, or damaged, is
  // discarded.
  std::unique_ptr<store::StoreDirectory> open(const std::string& holder, Log& log);

  std::unique_ptr<input::RecordReader> filter(std::unique_ptr<input::RecordReader> input);
  // At the end: Error(kMismatch) when the input, read to its end, is not that of the output.
  void require_same_input();

  // Of the whole output, from what the retry counted.
  Counters merged(const Counters& again) const;
  ExitCode code(const Counters& merged) const;
  // run.json of the output, from what a session would write: the output's own settings and
  // fingerprint stay, and "retries" says what was tried with which settings.
  nlohmann::ordered_json report(nlohmann::ordered_json session_report,
                                const nlohmann::json& settings_now,
                                const std::optional<Counters>& again) const;
  void merge();

 private:
  nlohmann::json changed_settings(const nlohmann::json& settings_now) const;

  Files& files_;
  const config::RunConfig& config_;
  Counters before_;
  Hash128 input_hash_;
  std::uint64_t records_ = 0;
  nlohmann::json finish_;
  nlohmann::json begin_;
  nlohmann::json fingerprint_;             // of the output
  nlohmann::json report_;                  // run.json of the output; null where it is damaged
  run::RejectedReader* reader_ = nullptr;  // the session owns it
};

// The fingerprint of a run from the start that gives what `report` (run.json) says the retries of
// one with `fingerprint` have left.
nlohmann::json fingerprint_as_retried(nlohmann::json fingerprint,
                                      const nlohmann::ordered_json& report);

}  // namespace longhaul::session
