#include "plan/memory_governor.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "plan/window.hpp"

namespace longhaul::plan {
namespace {

constexpr double kUnlimited = std::numeric_limits<double>::infinity();
constexpr double kMegabyte = 1024 * 1024;

constexpr unsigned kGrowAfter = 16;
constexpr double kGrowth = 1.125;
constexpr double kBelowFailed = 0.875;

// Kept free below a limit: what a batch needs beyond its share, the writer, the reader.
constexpr double kMarginShare = 0.05;
constexpr double kMarginBytes = 16 * kMegabyte;
// Below this nothing is learned about bytes per cost: pages come in lumps.
constexpr double kLeastExcess = 16 * kMegabyte;
// Live tensors are not all a batch takes: scratch space, fragments. Taken for the ratio until the
// high-water mark has shown it, and never less than the second.
constexpr double kBeyondLive = 2.5;
constexpr double kLeastBeyondLive = 1.25;
// A width not met yet is taken to need this much more than its nearest neighbour.
constexpr double kUnknownWidth = 2;
// Freed memory that the heap still holds is ours to use again: what is in use for good is the least
// of the last readings. Longer than the default --clear-cache-every.
constexpr std::size_t kBaseReadings = 12;
constexpr unsigned kStaysReached = 64;

double margin_of(double limit) {
  return std::max(limit * kMarginShare, kMarginBytes);
}

double number(const std::optional<std::uint64_t>& value) {
  return static_cast<double>(value.value_or(0));
}

// What a batch may cost by how batches ended, without regard to how much room there is.
class OutcomeBudget {
 public:
  OutcomeBudget(double start, double part_cost)
      : start_(start), part_cost_(part_cost), budget_(start), least_budget_(start) {}

  double allowed(std::uint32_t width) const {
    const auto failed = failed_cost_.find(width);
    return failed == failed_cost_.end() ? budget_
                                        : std::min(budget_, failed->second * kBelowFailed);
  }

  void succeeded(double cost) {
    // A small batch proves nothing about a large one.
    if (cost < budget_ / 2 || budget_ >= start_ || ++proven_ < kGrowAfter) {
      return;
    }
    proven_ = 0;
    budget_ = std::min(budget_ * kGrowth, start_);
    ++grown_;
  }

  void ran_out(std::uint32_t width, double cost) {
    ++out_of_memory_;
    proven_ = 0;
    const auto [at, is_new] = failed_cost_.try_emplace(width, cost);
    at->second = std::min(at->second, cost);
    // One record that does not fit alone says nothing of batches of others.
    if (cost > cost_per_row(width) * 1.5) {
      budget_ = std::min(budget_, cost > part_cost_ ? std::max(cost / 2, part_cost_) : cost / 2);
      least_budget_ = std::min(least_budget_, budget_);
    }
  }

  nlohmann::json report() const {
    nlohmann::json failed = nlohmann::json::array();
    for (const auto& [width, cost] : failed_cost_) {
      failed.push_back({{"width", width}, {"cost", cost}});
    }
    return {{"start_budget", start_},          {"budget", budget_}, {"least_budget", least_budget_},
            {"out_of_memory", out_of_memory_}, {"grown", grown_},   {"failed", failed}};
  }

 private:
  const double start_;
  const double part_cost_;  // of the dearest single part
  double budget_;
  double least_budget_;
  std::map<std::uint32_t, double> failed_cost_;  // the least, by width
  unsigned proven_ = 0;                          // batches since the last change
  std::uint64_t out_of_memory_ = 0;
  std::uint64_t grown_ = 0;
};

// What batches take per unit of cost, by their padded width: an upper bound of it.
class BatchNeeds {
 public:
  // What a batch took, in bytes.
  struct Measured {
    double at_most = 0;           // what lies between a mark and the memory in use before it
    std::optional<double> rise;   // so far above that the high-water mark rose, where it did
    std::optional<double> taken;  // by live tensors
  };

  void learn(std::uint32_t width, double cost, const Measured& measured) {
    double excess = measured.at_most;
    if (measured.taken) {
      const double taken = *measured.taken;
      if (measured.rise && taken > 0) {
        const double ratio = std::max(*measured.rise / taken, kLeastBeyondLive);
        beyond_live_ = std::max(beyond_live_.value_or(0), std::min(ratio, kBeyondLive));
      }
      excess = std::max(taken * beyond_live_.value_or(kBeyondLive), measured.rise.value_or(0));
    }
    const double bytes_per_cost = std::max(excess, kLeastExcess) / cost;
    Seen& seen = seen_[width];
    if (cost >= seen.cost) {
      seen = {cost, bytes_per_cost};
    } else if (measured.rise || measured.taken) {
      // Small batches look dear because of the least excess; only what was measured counts.
      seen.bytes_per_cost = std::max(seen.bytes_per_cost, excess / cost);
    }
  }

  double bytes_per_cost(std::uint32_t width, double assumed) const {
    if (seen_.empty()) {
      return assumed;
    }
    auto at = seen_.lower_bound(width);
    if (at == seen_.end()) {
      --at;
    }
    return at->first == width ? at->second.bytes_per_cost
                              : at->second.bytes_per_cost * kUnknownWidth;
  }

 private:
  struct Seen {
    double cost = 0;  // the largest that went through
    double bytes_per_cost = 0;
  };

  std::optional<double> beyond_live_;  // of all a batch takes, over what live tensors do
  std::map<std::uint32_t, Seen> seen_;
};

// The least of the last few readings.
class RecentLeast {
 public:
  double with(double reading) {
    recent_[next_++ % kBaseReadings] = reading;
    const std::size_t filled = std::min(next_, kBaseReadings);
    return *std::min_element(recent_.begin(),
                             recent_.begin() + static_cast<std::ptrdiff_t>(filled));
  }

 private:
  std::array<double, kBaseReadings> recent_{};
  std::size_t next_ = 0;
};

// One memory (the host's or the device's): how much is in use, how much room there is.
class Pool {
 public:
  struct Usage {
    double now = 0;
    std::optional<double> settled;  // in use for good, where the allocator says
    std::optional<double> high;     // high-water mark since the process began
    std::optional<double> taken;    // by the last batch, measured
    double headroom = kUnlimited;   // to limits that others use up, too
  };

  explicit Pool(std::optional<std::uint64_t> limit)
      : limit_(limit ? static_cast<double>(*limit) : kUnlimited) {}

  void observe(const Usage& usage, std::uint32_t width, double cost) {
    const double before = known_ ? base_ : usage.settled.value_or(usage.now);
    const double least = least_.with(usage.now);
    base_ = usage.settled.value_or(least);
    if (cost > 0) {
      needs_.learn(width, cost, measure(usage, before));
    }
    high_ = std::max(high_, usage.high.value_or(usage.now));
    if (!known_) {
      high_at_start_ = high_;
      known_ = true;
    }
    const double own = limit_ == kUnlimited ? kUnlimited : limit_ - margin_of(limit_) - base_;
    room_ = std::max(std::min(own, usage.headroom + (usage.now - base_)), 0.0);
    near_limit_ =
        (limit_ != kUnlimited && usage.now > limit_ - margin_of(limit_)) || usage.headroom <= 0;
    stays_ = room_ <= 0 ? stays_ + 1 : 0;
    had_room_ = had_room_ || room_ > 0;
  }

  double allowed(std::uint32_t width, double assumed) const {
    if (!known_ || room_ == kUnlimited) {
      return kUnlimited;
    }
    return room_ / needs_.bytes_per_cost(width, assumed);
  }

  bool near_limit() const { return near_limit_; }
  bool stays_reached() const { return stays_ >= kStaysReached; }
  bool had_room() const { return had_room_; }

 private:
  // Where the mark did not move, the batch took at most what lies between it and the base.
  BatchNeeds::Measured measure(const Usage& usage, double before) const {
    BatchNeeds::Measured measured;
    const double high = usage.high.value_or(usage.now);
    measured.at_most = std::max(high, high_) - before;
    if (known_ && high > high_) {
      measured.rise = high - before;
    } else if (high_ == high_at_start_ && high_ > limit_ - margin_of(limit_)) {
      // A mark set above the limit by loading the model says nothing of batches.
      measured.at_most = usage.now - before;
    }
    measured.taken = usage.taken;
    return measured;
  }

  const double limit_;
  bool known_ = false;
  RecentLeast least_;
  BatchNeeds needs_;
  double base_ = 0;  // in use for good
  double high_ = 0;
  double high_at_start_ = 0;
  double room_ = kUnlimited;
  bool near_limit_ = false;
  unsigned stays_ = 0;
  bool had_room_ = false;
};

Pool::Usage host_usage(const device::MemoryReading& reading, bool shared) {
  Pool::Usage usage;
  usage.now = number(reading.rss ? reading.rss : reading.footprint);
  if (reading.peak_rss) {
    usage.high = number(reading.peak_rss);
  }
  if (shared && (reading.footprint || reading.device.driver)) {
    // The footprint counts what Metal holds; resident memory may not.
    usage.now = reading.footprint
                    ? std::max(number(reading.footprint), number(reading.device.driver))
                    : number(reading.rss) + number(reading.device.driver);
    usage.high.reset();
  }
  if (reading.live_cpu && reading.live_cpu_peak && *reading.live_cpu_peak >= *reading.live_cpu) {
    usage.taken = static_cast<double>(*reading.live_cpu_peak - *reading.live_cpu);
  }
  if (reading.available && reading.total) {
    usage.headroom = number(reading.available) - number(reading.total) * kMarginShare;
  }
  if (reading.cgroup_limit && reading.cgroup_used) {
    const double limit = number(reading.cgroup_limit);
    usage.headroom =
        std::min(usage.headroom, limit - margin_of(limit) - number(reading.cgroup_used));
  }
  if (reading.address_space && reading.address_space_limit) {
    usage.headroom = std::min(usage.headroom, number(reading.address_space_limit) - kMarginBytes -
                                                  number(reading.address_space));
  }
  return usage;
}

Pool::Usage device_usage(const device::DeviceMemory& device) {
  Pool::Usage usage;
  usage.now = device.reserved ? number(device.reserved) : number(device.driver);
  if (device.allocated) {
    usage.settled = number(device.allocated);
    if (device.allocated_peak && *device.allocated_peak >= *device.allocated) {
      usage.taken = static_cast<double>(*device.allocated_peak - *device.allocated);
    }
  }
  if (device.free && device.total) {
    usage.headroom = number(device.free) - number(device.total) * kMarginShare / 2;
  }
  return usage;
}

}  // namespace

struct MemoryGovernor::Impl {
  explicit Impl(const GovernorSettings& given)
      : settings(given),
        outcomes(given.start_budget, given.part_cost),
        host(given.host_limit_bytes),
        device(given.device_limit_bytes) {}

  double by_room(std::uint32_t width) const {
    const auto assumed = static_cast<double>(settings.assumed_bytes_per_cost);
    return std::min(host.allowed(width, assumed), device.allowed(width, assumed));
  }

  const GovernorSettings settings;
  mutable std::mutex mutex;
  OutcomeBudget outcomes;
  Pool host;
  Pool device;
  // The largest batch since the last reading.
  std::uint32_t pending_width = 0;
  double pending_cost = 0;
  bool limited = false;
  std::uint64_t lowered_by_limit = 0;
  std::uint64_t readings_near_limit = 0;
};

MemoryGovernor::MemoryGovernor(const GovernorSettings& settings)
    : impl_(std::make_unique<Impl>(settings)) {}
MemoryGovernor::~MemoryGovernor() = default;

double MemoryGovernor::budget(std::uint32_t width) const {
  const std::lock_guard lock(impl_->mutex);
  return std::min(impl_->outcomes.allowed(width), impl_->by_room(width));
}

void MemoryGovernor::succeeded(std::uint32_t width, double cost) {
  const std::lock_guard lock(impl_->mutex);
  Impl& impl = *impl_;
  if (cost > impl.pending_cost) {
    impl.pending_width = width;
    impl.pending_cost = cost;
  }
  impl.outcomes.succeeded(cost);
}

void MemoryGovernor::ran_out(std::uint32_t width, double cost) {
  const std::lock_guard lock(impl_->mutex);
  impl_->outcomes.ran_out(width, cost);
}

void MemoryGovernor::observe(const device::MemoryReading& reading) {
  const std::lock_guard lock(impl_->mutex);
  Impl& impl = *impl_;
  if (reading.rss || reading.footprint) {
    impl.host.observe(host_usage(reading, impl.settings.shared_memory), impl.pending_width,
                      impl.pending_cost);
  }
  if (!impl.settings.shared_memory && (reading.device.reserved || reading.device.driver)) {
    impl.device.observe(device_usage(reading.device), impl.pending_width, impl.pending_cost);
  }
  if (impl.pending_cost > 0) {
    const bool limited =
        impl.by_room(impl.pending_width) < impl.outcomes.allowed(impl.pending_width);
    if (limited && !impl.limited) {
      ++impl.lowered_by_limit;
    }
    impl.limited = limited;
  }
  if (impl.host.near_limit() || impl.device.near_limit()) {
    ++impl.readings_near_limit;
  }
  impl.pending_cost = 0;
}

bool MemoryGovernor::near_limit() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->host.near_limit() || impl_->device.near_limit();
}

bool MemoryGovernor::limit_stays_reached() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->host.stays_reached() || impl_->device.stays_reached();
}

bool MemoryGovernor::fresh_process_has_room() const {
  const std::lock_guard lock(impl_->mutex);
  return (impl_->host.had_room() || !impl_->host.stays_reached()) &&
         (impl_->device.had_room() || !impl_->device.stays_reached());
}

nlohmann::json MemoryGovernor::report() const {
  const std::lock_guard lock(impl_->mutex);
  nlohmann::json report = impl_->outcomes.report();
  report["lowered_by_limit"] = impl_->lowered_by_limit;
  report["readings_near_limit"] = impl_->readings_near_limit;
  return report;
}

}  // namespace longhaul::plan
