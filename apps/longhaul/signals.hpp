// TERM, INT, HUP, USR1, USR2 and XCPU (a limit on processor time) ask a run to stop: the handler
// sets a flag that the run looks at between batches. A second INT ends the process at once with
// exit code 75, or is only counted where others have to be ended first; what was committed is safe.
// HUP stays ignored where the parent ignored it (nohup). One object per process, on the main
// thread, made before other threads start; the previous handlers come back when it goes.
#pragma once

#include <csignal>
#include <string>
#include <vector>

namespace longhaul::app {

class StopSignals {
 public:
  enum class SecondInterrupt { kEnds, kIsCounted };
  explicit StopSignals(SecondInterrupt second = SecondInterrupt::kEnds);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // From now on a signal stays pending for the calling thread, and so for the program that it
  // execs: none is lost between two programs, and none ends the second before it listens.
  static void hold();
  // Any thread.
  static bool requested();
  static bool interrupted_twice();
  static int signal();               // the first that came; 0 for none
  static std::string signal_name();  // "TERM"; empty for none

 private:
  struct Saved {
    int number = 0;
    struct sigaction action {};
  };
  std::vector<Saved> saved_;
};

// For a device that does not come back from a batch: says that all before it is safe in `output`
// and ends the process with 75 at once. Any thread.
[[noreturn]] void abandon_run(const std::string& output, const std::string& command);

}  // namespace longhaul::app
