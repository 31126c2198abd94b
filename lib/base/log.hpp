// Where the rooms say what a person should know. The application implements it; lib/ never prints.
// Implementations may be called from any thread.
#pragma once

#include <string>

namespace longhaul {

enum class LogLevel { kTrace, kDebug, kInfo, kWarning, kError, kOff };

class Log {
 public:
  virtual ~Log() = default;
  virtual void write(LogLevel level, const std::string& message) = 0;

  void debug(const std::string& message) { write(LogLevel::kDebug, message); }
  void info(const std::string& message) { write(LogLevel::kInfo, message); }
  void warning(const std::string& message) { write(LogLevel::kWarning, message); }
  void error(const std::string& message) { write(LogLevel::kError, message); }
};

// Discards everything.
class NullLog : public Log {
 public:
  void write(LogLevel, const std::string&) override {}
};

}  // namespace longhaul
