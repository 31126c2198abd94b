// memory.jsonl: one line a second at most (one in ten after ten minutes), appended over sessions.
// The encoder's thread; a line that cannot be written is an Error(kIo) like any other output.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/files.hpp"
#include "device/memory_reading.hpp"
#include "run/pipeline.hpp"

namespace longhaul::session {

class MemoryLog {
 public:
  using Clock = std::chrono::steady_clock;

  MemoryLog(Files& files, const std::string& path);
  void sample(Clock::time_point now, const run::RunSnapshot& snapshot);
  // Writes the last sample if it is not there yet.
  void finish();
  nlohmann::json summary() const;

 private:
  void write(const run::RunSnapshot& snapshot, Clock::time_point now);

  std::unique_ptr<File> file_;
  std::uint64_t size_;
  Clock::time_point start_;
  Clock::time_point written_;
  bool pending_ = false;
  run::RunSnapshot last_;
  Clock::time_point last_time_;
  bool any_ = false;
  device::MemorySummary summary_;
};

}  // namespace longhaul::session
