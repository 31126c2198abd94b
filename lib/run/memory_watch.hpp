// What a run's memory does while it encodes: reads it now and then, tells the governor and the leak
// monitor, and keeps what is to follow from a suspicion. The encoder's thread; borrows all.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "device/memory_reading.hpp"
#include "run/pipeline.hpp"

namespace longhaul::run {

class MemoryWatch {
 public:
  MemoryWatch(const PipelineParts& parts, const PipelineHooks& hooks)
      : parts_(parts), hooks_(hooks) {}

  // A batch with parts of these widths was computed. A width's first batch takes memory for good.
  void computed(const std::set<std::uint32_t>& widths);
  // Reads memory, if the last reading is not fresh. `batches` and `records`: of this session so
  // far.
  void observe(std::uint64_t batches, std::uint64_t records);
  // Reads it in any case; nothing where nobody gave a way to.
  void read(std::uint64_t batches, std::uint64_t records);

  const device::MemoryReading& latest() const { return latest_; }
  // What whoever was told of a leak, or of a limit that stays reached, wants to happen.
  LeakAction action() const { return action_; }

 private:
  void tell_of_limit();
  void suspect_leak(const std::string& warning);

  const PipelineParts& parts_;
  const PipelineHooks& hooks_;
  std::map<std::uint32_t, std::uint64_t> widths_seen_;
  std::optional<std::chrono::steady_clock::time_point> last_reading_;
  device::MemoryReading latest_;
  LeakAction action_ = LeakAction::kContinue;
  bool limit_told_ = false;
};

}  // namespace longhaul::run
