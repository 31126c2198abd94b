// Standard error as the person sees it, and the log file: messages, and below them one status line
// (the progress bar) that messages never break. The only place that knows the logging library.
// Any thread. A log file that cannot be opened is an Error(kIo); later failures to write are not
// worth a run and are passed over.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/log.hpp"

namespace longhaul::app {

struct ConsoleSettings {
  LogLevel level = LogLevel::kInfo;
  std::optional<std::string> log_file;  // appended to; gets every message of `level` and above
  bool quiet = false;                   // standard error shows only warnings and errors
  bool for_parent = false;              // each message as a line that the starting process reads
};

class Console : public Log {
 public:
  explicit Console(const ConsoleSettings& settings);
  ~Console() override;
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  void write(LogLevel level, const std::string& message) override;

  // For the log file alone.
  void note(LogLevel level, const std::string& message);
  // Draws, or redraws, the line that stays at the bottom of a terminal; empty takes it away.
  void set_status(const std::string& line);
  // One line on standard error whatever the level, and not in the log file: for machine-readable
  // progress.
  void print(const std::string& line);
  // The one line a failure ends with: on standard error whatever the level, and in the log file.
  void fail(const std::string& line);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Standard error is a terminal that can redraw a line.
bool stderr_is_terminal(const std::string& term);
// Columns of the terminal on standard error; 80 where it does not say.
unsigned stderr_columns();

}  // namespace longhaul::app
