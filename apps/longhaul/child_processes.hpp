// The processes of a run that is divided, as an operating system has them: this program, started
// once more for each share, in a process group of its own, so that what a terminal sends reaches
// them through this process alone. Each writes lines (launch/process_lines.hpp) on its standard
// error, a pipe to here; its standard input is a pipe that closes when this process ends, however
// that happens, and asks it to stop.
// One thread. Throws Error(kUnavailable) for a process that cannot be started. When the object
// goes, so do the pipes, and what still runs is asked to stop, waited for, and ended at last.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "launch/supervisor.hpp"

namespace longhaul::app {

class ChildProcesses : public launch::Processes {
 public:
  // `arguments`: of the command; `directory`: where it was started, when that is not here.
  ChildProcesses(std::vector<std::string> arguments, std::optional<std::string> directory);
  ~ChildProcesses() override;
  ChildProcesses(const ChildProcesses&) = delete;
  ChildProcesses& operator=(const ChildProcesses&) = delete;

  void start(const launch::ProcessShare& share) override;
  std::vector<launch::ProcessEvent> listen(std::chrono::milliseconds wait) override;
  void ask_to_stop() override;
  void kill() override;

 private:
  struct Child {
    pid_t pid = 0;
    int said = -1;  // what it writes; -1 once that is over
    std::string line;
    bool ended = false;
  };
  void read(std::size_t index, std::vector<launch::ProcessEvent>& events);
  void send(int signal);
  void end_all();

  const std::vector<std::string> arguments_;
  const std::optional<std::string> directory_;
  std::vector<Child> children_;
  int lifeline_[2] = {-1, -1};
};

// In such a process: what standard input says by closing becomes a wish to stop.
void stop_with_parent();

}  // namespace longhaul::app
