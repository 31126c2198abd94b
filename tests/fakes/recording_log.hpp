// A log that keeps what was said. Any thread may speak; reading is for when all have ended.
#pragma once

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/log.hpp"

namespace longhaul::fakes {

class RecordingLog : public Log {
 public:
  void write(LogLevel level, const std::string& message) override {
    const std::lock_guard lock(mutex_);
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

 private:
  std::mutex mutex_;
};

}  // namespace longhaul::fakes
