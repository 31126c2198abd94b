#include "session/memory_log.hpp"

#include <nlohmann/json.hpp>

namespace longhaul::session {
namespace {

using namespace std::chrono_literals;

constexpr auto kEvery = 1s;
constexpr auto kEveryLater = 10s;
constexpr auto kLater = 10min;

}  // namespace

MemoryLog::MemoryLog(Files& files, const std::string& path)
    : file_(files.open(path, OpenMode::kCreate)), size_(file_->size()), start_(Clock::now()) {}

void MemoryLog::sample(Clock::time_point now, const run::RunSnapshot& snapshot) {
  summary_.add(snapshot.memory);
  last_ = snapshot;
  last_time_ = now;
  pending_ = true;
  const auto every = now - start_ > kLater ? Clock::duration(kEveryLater) : Clock::duration(kEvery);
  if (!any_ || now - written_ >= every) {
    write(snapshot, now);
  }
}

void MemoryLog::finish() {
  if (pending_) {
    write(last_, last_time_);
  }
}

nlohmann::json MemoryLog::summary() const {
  return summary_.report();
}

void MemoryLog::write(const run::RunSnapshot& snapshot, Clock::time_point now) {
  const double time = std::chrono::duration<double>(now - start_).count();
  const std::string line =
      memory_line(time, snapshot.batches, snapshot.records_done, snapshot.memory).dump() + "\n";
  file_->write_at(size_, bytes_of(line));
  size_ += line.size();
  written_ = now;
  any_ = true;
  pending_ = false;
}

}  // namespace longhaul::session
