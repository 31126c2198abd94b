// A log that keeps what was said.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/log.hpp"

namespace longhaul::fakes {

class RecordingLog : public Log {
 public:
  void write(LogLevel level, const std::string& message) override {
    lines.emplace_back(level, message);
  }
  std::vector<std::string> warnings() const {
    std::vector<std::string> found;
    for (const auto& [level, message] : lines) {
      if (level == LogLevel::kWarning) {
        found.push_back(message);
      }
    }
    return found;
  }
  std::vector<std::pair<LogLevel, std::string>> lines;
};

}  // namespace longhaul::fakes
