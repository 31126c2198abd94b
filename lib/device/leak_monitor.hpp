// Judges whether memory grows with the number of batches: Theil-Sen slope after warm-up, in the
// whole and in both halves, and the last decile against the first. Thresholds and their origin are
// in the source. Bounded: at most 2,048 samples per series. No clock, no system calls; one thread
// at a time; never throws.
//
// A counter of live bytes has no noise and decides alone when a run is too short for statistics;
// without one such a run is `too_short`.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "device/memory_reading.hpp"

namespace longhaul::device {

enum class LeakVerdict { kFlat, kGrowing, kTooShort };
std::string_view to_string(LeakVerdict verdict);  // "flat", "growing", "too_short"

class LeakMonitor {
 public:
  LeakMonitor();
  ~LeakMonitor();
  LeakMonitor(LeakMonitor&&) noexcept;
  LeakMonitor& operator=(LeakMonitor&&) noexcept;
  // `batches` and `records` are done so far in this process. `warm` is true once every batch shape
  // in use has been seen twice; the warm-up ends then, but not before 1,000 batches and not after
  // 5,000.
  void sample(std::uint64_t batches, std::uint64_t records, bool warm,
              const MemoryReading& reading);
  // A line for the person, once per series that starts to grow; nothing otherwise.
  std::optional<std::string> take_warning();
  LeakVerdict verdict() const;
  // One line for the end of the run: the verdict and the slopes it rests on, of what grows or of
  // what could be judged.
  std::string summary() const;
  // Per series: slope per 1,000 batches and per million records, both halves, deciles, verdict.
  nlohmann::json report() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace longhaul::device
