// The older outputs that --reuse names: opened, proved to be of this model and of the settings that
// make this run's numbers, and asked for the choices that made their bits, which this run follows.
// Changes nothing in them; one thread. Errors, each naming the output and what to do: kMismatch
// where they are another model's, or made with other settings, choices, or on another machine or
// binary; kUsage, kInterrupted, kUnavailable, kBadData for what cannot be read as one.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/log.hpp"
#include "config/run_config.hpp"
#include "run/older_rows.hpp"
#include "session/run_begin.hpp"
#include "store/output_reader.hpp"
#include "store/store_layout.hpp"

namespace longhaul::session {

struct OlderOutput {
  std::string path;
  bool held = false;  // by this process, which has its lock
};
bool is_same_directory(const std::string& a, const std::string& b);
// Those that --reuse names.
std::vector<OlderOutput> older_outputs(const config::RunConfig& config);

class OlderOutputs {
 public:
  // `output` is where the rows go, and is none of them.
  OlderOutputs(Files& files, const std::vector<OlderOutput>& older, const std::string& output);

  std::string names() const;  // "old, other"

  // What a run follows that takes their rows and was not begun: the choices of the first of them,
  // with this process's threads and device.
  RunBegin followed(const config::RunConfig& config, std::uint32_t threads) const;
  // Of a run that was begun: with these outputs, as they are now.
  void require_begun(const RunBegin& begin, const std::string& output) const;
  void require_same_settings(const nlohmann::json& fingerprint) const;
  // The first line of the journal, of a run that takes their rows.
  RunBegin begin(RunBegin fresh) const;
  // Reads their tables. `layout` is this run's.
  std::unique_ptr<run::OlderRows> rows(const store::StoreLayout& layout, ReuseBy by,
                                       Log& log) const;

 private:
  struct Output {
    store::OutputReader reader;
    RunBegin begin;
    nlohmann::json retried;  // its fingerprint, with what its retries allowed
    bool held = false;

    std::string said() const;  // "--reuse old"; of an update the output itself
    std::string remedy() const;
  };

  Files& files_;
  std::vector<Output> outputs_;
};

}  // namespace longhaul::session
