// Turns outcomes and memory readings into one number: how much a batch may cost (plan/window.hpp).
// No clock, no system calls; never throws. budget() may be called from any thread, the rest from
// one.
//
// Three rules, the least of which counts:
// - The budget: halved when a batch runs out of memory, but not below one part while none has
//   failed alone; grown by an eighth after 16 batches that used at least half of it, never above
//   the one at the start.
// - Ceilings: 7/8 of the least cost that ran out of memory at a padded width. A cost that failed is
//   never tried again there, and each further failure is lower by an eighth: there are few.
// - Room: what lies between the memory in use and the nearest limit, over what a batch of this
//   width was seen to take per unit of cost (an upper bound of it, where it cannot be seen). It
//   follows the readings down and up again.
// One row is always allowed: whether a record fits alone is for the device to say.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "device/memory_reading.hpp"

namespace longhaul::plan {

struct GovernorSettings {
  double start_budget = 0;  // cost a batch may have at first; also the most it ever has
  double part_cost = 0;     // of the dearest single part
  std::optional<std::uint64_t> host_limit_bytes;    // --memory-limit
  std::optional<std::uint64_t> device_limit_bytes;  // --device-memory-limit
  bool shared_memory = false;  // host and device are the same memory: one limit covers both
  // What a batch is taken to need per unit of cost until one has been seen.
  std::uint64_t assumed_bytes_per_cost = 256 * 1024;
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
  // A plausible reading, taken before the first batch and after each: learns what the batches since
  // the last one took, and how much room there is.
  void observe(const device::MemoryReading& reading);
  // True when memory in use is close to a limit: releasing caches is worth its time now.
  bool near_limit() const;
  // True when memory in use has stayed close to a limit for many readings, whatever was released.
  bool limit_stays_reached() const;
  // True when there was room at some time, so that a fresh process can help (--on-leak recycle).
  bool fresh_process_has_room() const;
  // How often each happened, and the budget now: for run.json.
  nlohmann::json report() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace longhaul::plan
