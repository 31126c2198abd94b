// Turns outcomes and memory readings into one number: how much a batch may cost (plan/window.hpp).
// Halved on out-of-memory and remembered per padded width, grown back slowly, never to a cost that
// failed; lowered ahead of trouble near a limit. No clock, no system calls.
// budget() may be called from any thread, the rest from one.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "device/memory_reading.hpp"

namespace longhaul {

struct GovernorSettings {
  double start_budget = 0;  // cost a batch may have at first; also the most it ever has
  std::optional<std::uint64_t> host_limit_bytes;    // --memory-limit
  std::optional<std::uint64_t> device_limit_bytes;  // --device-memory-limit
  bool shared_memory = false;  // host and device are the same memory: one limit covers both
};

class MemoryGovernor {
 public:
  explicit MemoryGovernor(const GovernorSettings& settings);
  ~MemoryGovernor();
  MemoryGovernor(const MemoryGovernor&) = delete;
  MemoryGovernor& operator=(const MemoryGovernor&) = delete;

  // What a batch of this padded width may cost now.
  double budget(std::uint32_t width) const;
  // A batch of `cost` at `width` went through.
  void succeeded(std::uint32_t width, double cost);
  // A batch of `cost` at `width` ran out of memory: that cost is never tried again at this width.
  void ran_out(std::uint32_t width, double cost);
  // A plausible reading: lowers the budget when a limit is near, lets it recover when it is not.
  void observe(const MemoryReading& reading);
  // How often each happened, and the budget now: for run.json.
  nlohmann::json report() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace longhaul
