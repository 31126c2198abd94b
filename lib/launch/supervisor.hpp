// Several processes of one run, from their start to the last one's end: what they say is put
// together, a wish to stop is passed on and waited for, one that dies leaves the others to finish,
// and the worst way to end counts. Starting and listening is lent by the program (Processes).
// One thread. Throws Error where a process cannot be started, once the others have ended.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "base/log.hpp"
#include "launch/process_lines.hpp"
#include "launch/process_plan.hpp"

namespace longhaul::launch {

// How a process ended: with a code, or by a signal.
struct ProcessEnd {
  std::optional<int> code;
  int signal = 0;
};

// What a process did: said a line, or ended.
struct ProcessEvent {
  std::size_t process = 0;  // in the order they were started
  std::variant<std::string, ProcessEnd> what;
};

class Processes {
 public:
  virtual ~Processes() = default;
  virtual void start(const ProcessShare& share) = 0;
  // What happened, after `wait` at most; a process's end comes after all that it said.
  virtual std::vector<ProcessEvent> listen(std::chrono::milliseconds wait) = 0;
  // Asks those that run to commit and end.
  virtual void ask_to_stop() = 0;
  // Ends those that run at once; what is committed is safe.
  virtual void kill() = 0;
};

struct SupervisorHost {
  Processes& processes;
  Log& log;  // what a person should read
  // What only the log file should have: what others said already.
  std::function<void(LogLevel, const std::string&)> note;
  std::function<bool()> stop;          // somebody asked for an end
  std::function<bool()> stop_at_once;  // and again
  std::function<void(const Progress&)> show;
};

struct SupervisedRun {
  ExitCode code = ExitCode::kDone;  // the worst
  bool asked_to_stop = false;
  std::vector<ProcessEnd> ends;    // of each, in order
  std::vector<std::string> words;  // what went wrong with those that failed: "shard 2/3 ..."
};

// The code that stands for how a process ended. One that was killed left what it committed.
ExitCode code_of(const ProcessEnd& end);
// Whether `a` is worse than `b`.
bool is_worse(ExitCode a, ExitCode b);

SupervisedRun supervise(const std::vector<ProcessShare>& shares, const SupervisorHost& host);

}  // namespace longhaul::launch
