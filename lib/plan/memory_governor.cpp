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

// One memory (the host's or the device's): how much is in use, how much a batch takes.
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
    remember(usage);
    if (cost > 0) {
      learn(usage, before, width, cost);
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
    return room_ / bytes_per_cost(width, assumed);
  }

  bool near_limit() const { return near_limit_; }
  bool stays_reached() const { return stays_ >= kStaysReached; }
  bool had_room() const { return had_room_; }

 private:
  struct Seen {
    double cost = 0;  // the largest that went through
    double bytes_per_cost = 0;
  };

  void remember(const Usage& usage) {
    recent_[next_++ % kBaseReadings] = usage.now;
    const std::size_t filled = std::min(next_, kBaseReadings);
    base_ = usage.settled.value_or(
        *std::min_element(recent_.begin(), recent_.begin() + static_cast<std::ptrdiff_t>(filled)));
  }

  // Where the mark did not move, the batch took at most what lies between it and the base.
  void learn(const Usage& usage, double before, std::uint32_t width, double cost) {
    const double high = usage.high.value_or(usage.now);
    const bool rose = known_ && high > high_;
    double excess = std::max(high, high_) - before;
    // A mark set above the limit by loading the model says nothing of batches.
    if (!rose && high_ == high_at_start_ && high_ > limit_ - margin_of(limit_)) {
      excess = usage.now - before;
    }
    if (usage.taken) {
      if (rose && *usage.taken > 0) {
        const double ratio = std::max((high - before) / *usage.taken, kLeastBeyondLive);
        beyond_live_ = std::max(beyond_live_.value_or(0), std::min(ratio, kBeyondLive));
      }
      excess =
          std::max(*usage.taken * beyond_live_.value_or(kBeyondLive), rose ? high - before : 0.0);
    }
    const double bytes_per_cost = std::max(excess, kLeastExcess) / cost;
    Seen& seen = seen_[width];
    if (cost >= seen.cost) {
      seen = {cost, bytes_per_cost};
    } else if (rose || usage.taken) {
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

  const double limit_;
  bool known_ = false;
  std::array<double, kBaseReadings> recent_{};
  std::size_t next_ = 0;
  double base_ = 0;
  double high_ = 0;
  double high_at_start_ = 0;
  double room_ = kUnlimited;
  bool near_limit_ = false;
  unsigned stays_ = 0;
  bool had_room_ = false;
  std::optional<double> beyond_live_;
  std::map<std::uint32_t, Seen> seen_;
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
        budget(given.start_budget),
        least_budget(given.start_budget),
        host(given.host_limit_bytes),
        device(given.device_limit_bytes) {}

  // Without regard to how much room there is.
  double by_outcomes(std::uint32_t width) const {
    const auto failed = failed_cost.find(width);
    return failed == failed_cost.end() ? budget : std::min(budget, failed->second * kBelowFailed);
  }

  double by_room(std::uint32_t width) const {
    const auto assumed = static_cast<double>(settings.assumed_bytes_per_cost);
    return std::min(host.allowed(width, assumed), device.allowed(width, assumed));
  }

  const GovernorSettings settings;
  mutable std::mutex mutex;
  double budget;
  double least_budget;
  Pool host;
  Pool device;
  std::map<std::uint32_t, double> failed_cost;  // the least, by width
  unsigned proven = 0;                          // batches since the last change
  // The largest batch since the last reading.
  std::uint32_t pending_width = 0;
  double pending_cost = 0;
  bool limited = false;
  std::uint64_t out_of_memory = 0;
  std::uint64_t grown = 0;
  std::uint64_t lowered_by_limit = 0;
  std::uint64_t readings_near_limit = 0;
};

MemoryGovernor::MemoryGovernor(const GovernorSettings& settings)
    : impl_(std::make_unique<Impl>(settings)) {}
MemoryGovernor::~MemoryGovernor() = default;

double MemoryGovernor::budget(std::uint32_t width) const {
  const std::lock_guard lock(impl_->mutex);
  return std::min(impl_->by_outcomes(width), impl_->by_room(width));
}

void MemoryGovernor::succeeded(std::uint32_t width, double cost) {
  const std::lock_guard lock(impl_->mutex);
  Impl& impl = *impl_;
  if (cost > impl.pending_cost) {
    impl.pending_width = width;
    impl.pending_cost = cost;
  }
  // A small batch proves nothing about a large one.
  if (cost < impl.budget / 2 || impl.budget >= impl.settings.start_budget ||
      ++impl.proven < kGrowAfter) {
    return;
  }
  impl.proven = 0;
  impl.budget = std::min(impl.budget * kGrowth, impl.settings.start_budget);
  ++impl.grown;
}

void MemoryGovernor::ran_out(std::uint32_t width, double cost) {
  const std::lock_guard lock(impl_->mutex);
  Impl& impl = *impl_;
  ++impl.out_of_memory;
  impl.proven = 0;
  const auto [at, is_new] = impl.failed_cost.try_emplace(width, cost);
  at->second = std::min(at->second, cost);
  // One record that does not fit alone says nothing of batches of others.
  if (cost > cost_per_row(width) * 1.5) {
    const double part = impl.settings.part_cost;
    impl.budget = std::min(impl.budget, cost > part ? std::max(cost / 2, part) : cost / 2);
    impl.least_budget = std::min(impl.least_budget, impl.budget);
  }
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
    const bool limited = impl.by_room(impl.pending_width) < impl.by_outcomes(impl.pending_width);
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
  const Impl& impl = *impl_;
  nlohmann::json failed = nlohmann::json::array();
  for (const auto& [width, cost] : impl.failed_cost) {
    failed.push_back({{"width", width}, {"cost", cost}});
  }
  return {{"start_budget", impl.settings.start_budget},
          {"budget", impl.budget},
          {"least_budget", impl.least_budget},
          {"out_of_memory", impl.out_of_memory},
          {"grown", impl.grown},
          {"lowered_by_limit", impl.lowered_by_limit},
          {"readings_near_limit", impl.readings_near_limit},
          {"failed", failed}};
}

}  // namespace longhaul::plan
