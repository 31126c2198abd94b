// What is special in a kind of run. A run is input x selection x encoder -> store, and a mode
// answers four questions about it: which records, from which position, where the other rows come
// from, and what happens at the end. A new mode is one file (plain_mode.cpp, retry_mode.cpp,
// shard_mode.cpp, update_mode.cpp) and a line in make_mode().
// One thread. Throws Error.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/run_config.hpp"
#include "domain/counters.hpp"
#include "encode/card.hpp"
#include "input/digested_reader.hpp"
#include "run/older_rows.hpp"
#include "session/continuation.hpp"
#include "session/host.hpp"
#include "session/run_begin.hpp"
#include "store/embedding_store.hpp"
#include "store/store_layout.hpp"

namespace longhaul::session {

// How a run ended that read its whole input.
struct Conclusion {
  Counters counters;  // of the whole output
  ExitCode code = ExitCode::kDone;
  nlohmann::json line;  // what the journal's last line says beside the rows
};

// Which limits on rejects stop a run.
enum class StoppingLimits { kAll, kCount, kNone };

// What is settled about a run once its output is open.
struct RunFacts {
  std::string path;    // the directory that it writes in: the output, or one inside it
  std::string output;  // of the rows that are told of: whose counts a report has, where
                       // memory.jsonl grows
  bool whole = true;  // beside no others' rows, so that duplicates and repeated ids are judged here
  store::LaterColumns later_columns = {};  // of records.csv, that it has
  StoppingLimits stopping_limits = StoppingLimits::kAll;
  // Said when it begins, and when it goes on; empty where that goes without saying.
  std::string beginning;
  std::string continuing;
  // SHA-256 of the source files, where they were found before: this run does not read all of them.
  std::optional<std::vector<std::string>> sha256;
  bool nothing_to_do = false;  // from the start: already_finished() says why
};

class Mode {
 public:
  virtual ~Mode() = default;

  virtual const RunFacts& facts() const = 0;
  // That of facts().path, locked unless its run is finished. Null when there is nothing to do, and
  // of a retry before require_same_settings().
  virtual store::StoreDirectory* directory() = 0;
  // What was decided before this session: by the run that it continues, or the output it is about.
  virtual const std::optional<RunBegin>& follows() const = 0;
  // Of a run that was finished before: what is left to do, and its code.
  virtual ExitCode already_finished(const encode::EncoderCard& card) = 0;
  // Throws Error(kMismatch) where a setting that makes the numbers is not what it was.
  virtual void require_same_settings(const nlohmann::json& fingerprint) = 0;
  // The choices of a session that is about to begin or continue. False where others who work on
  // the same output made theirs first: follows() has them now, and all is to be made again.
  virtual bool settle(const nlohmann::json& fingerprint, const Choices& choices) = 0;
  // The first line of the journal, from what this session would write for itself.
  virtual RunBegin begin(RunBegin fresh) const = 0;

  // Which records: a reader that gives them, with the rows their vectors go to. `whole` is the
  // input that was opened, before anything is read of it or a model is loaded; `again` opens it
  // once more. Throws Error(kMismatch) where it is cheap to see that it is another than it was.
  virtual std::unique_ptr<input::DigestedReader> select(
      std::unique_ptr<input::RecordReader> whole,
      const std::function<std::unique_ptr<input::RecordReader>()>& again) = 0;
  // Where the other rows come from: older outputs, whose rows are taken where they are what would
  // be computed. Null where all that is selected is computed. The mode owns it; asked for once, of
  // a run that is about to begin or go on.
  virtual run::OlderRows* older_rows(const store::StoreLayout&) { return nullptr; }
  // The input is another than it was: what depends on it is discarded.
  virtual void reject_input() = 0;
  virtual Conclusion conclude(const Counters& counters) = 0;
  // run.json, from what a session writes of itself.
  virtual nlohmann::ordered_json report(nlohmann::ordered_json run) const = 0;
  // Once the run in directory() is finished and closed.
  virtual void deliver() = 0;
};

// The exit code that a finished run's journal tells.
inline ExitCode finished_code(const store::StoreState& state) {
  return static_cast<ExitCode>(state.finish->at("code").get<int>());
}

// Does what reads the input of an earlier session or of the output; where it is another than it was
// (kMismatch), the mode rejects it, once `close` has let go of what was begun.
template <typename Check>
auto require_input(
    Mode& mode, const Check& check, const std::function<void()>& close = [] {}) {
  try {
    return check();
  } catch (const Error& error) {
    if (error.code() == ExitCode::kMismatch) {
      close();
      mode.reject_input();
    }
    throw;
  }
}

// Opens the output as the settings and what is there ask for. Borrows all.
std::unique_ptr<Mode> make_mode(const config::RunConfig& config, const Host& host,
                                const std::optional<Continuation>& continuation);

}  // namespace longhaul::session
