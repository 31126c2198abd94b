#include "device/leak_monitor.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "device/trend.hpp"

namespace longhaul::device {
namespace {

using Field = std::optional<std::uint64_t>;

constexpr double kMegabyte = 1e6;
// Caches, the executor's plans and the heap settle in the first batches.
constexpr std::uint64_t kWarmUpBatches = 1000;
// A shape that has not come twice in this many batches is too rare to bend a trend.
constexpr std::uint64_t kLongestWarmUp = 5000;
// A slope says something from this many batches on; before, the tail of the warm-up looks like one.
constexpr std::uint64_t kJudgedBatches = 10000;

// What makes a series grow: all four at once. Simulated with a 500 MB warm-up, correlated noise of
// 2-5 MB and spikes: 2.5 MB per 1,000 batches is caught, flat and plateau are not, and four
// harmless steps are in a few of a hundred runs. A trend test (Mann-Kendall) errs in half of them.
struct Gate {
  double slope;       // per 1,000 batches
  double half_slope;  // per 1,000 batches, in both halves
  double rise;        // last decile less first
};
constexpr Gate kNoisyBytes{2 * kMegabyte, 1 * kMegabyte, 20 * kMegabyte};
// Live bytes are exact, so little suffices.
constexpr Gate kLiveBytes{0.1 * kMegabyte, 0.05 * kMegabyte, 1 * kMegabyte};
constexpr Gate kCounts{0.5, 0.25, 8};

// In a short run live bytes grow when every value of the last decile is this much above every one
// of the first.
constexpr double kLiveReturns = 64 * 1024;
constexpr std::size_t kLivePoints = 20;

enum class Kind { kNoisy, kLive, kCount };

struct Series {
  const char* name;   // in reports
  const char* shown;  // to a person
  Kind kind;
  Field (*pick)(const MemoryReading&);
};

constexpr std::array<Series, 8> kSeries{{
    {"rss", "resident memory", Kind::kNoisy, [](const MemoryReading& r) { return r.rss; }},
    {"footprint", "footprint", Kind::kNoisy, [](const MemoryReading& r) { return r.footprint; }},
    {"live", "live tensors", Kind::kLive, [](const MemoryReading& r) { return r.live_cpu; }},
    {"device_allocated", "device allocated", Kind::kLive,
     [](const MemoryReading& r) { return r.device.allocated; }},
    {"device_reserved", "device reserved", Kind::kNoisy,
     [](const MemoryReading& r) { return r.device.reserved; }},
    {"device_driver", "device driver", Kind::kNoisy,
     [](const MemoryReading& r) { return r.device.driver; }},
    {"open_files", "open files", Kind::kCount, [](const MemoryReading& r) { return r.open_files; }},
    {"threads", "threads", Kind::kCount, [](const MemoryReading& r) { return r.threads; }},
}};

const Gate& gate_of(Kind kind) {
  return kind == Kind::kNoisy ? kNoisyBytes : kind == Kind::kLive ? kLiveBytes : kCounts;
}

bool passes(const Trend& trend, const Gate& gate) {
  return trend.per_1000_batches > gate.slope && trend.first_half > gate.half_slope &&
         trend.second_half > gate.half_slope && trend.rise() > gate.rise;
}

// Nothing when there are too few values to say.
std::optional<bool> live_grows(const std::vector<TrendPoint>& points) {
  if (points.size() < kLivePoints) {
    return std::nullopt;
  }
  const auto less = [](const TrendPoint& a, const TrendPoint& b) { return a.value < b.value; };
  const auto decile = static_cast<std::ptrdiff_t>(points.size() / 10);
  const double before = std::max_element(points.begin(), points.begin() + decile, less)->value;
  const double after = std::min_element(points.end() - decile, points.end(), less)->value;
  return after - before > kLiveReturns;
}

std::string amount(Kind kind, double value) {
  char text[64];
  if (kind == Kind::kCount) {
    std::snprintf(text, sizeof text, "%+.2f", value);
  } else {
    std::snprintf(text, sizeof text, "%+.2f MB", value / kMegabyte);
  }
  return text;
}

}  // namespace

std::string_view to_string(LeakVerdict verdict) {
  switch (verdict) {
    case LeakVerdict::kFlat:
      return "flat";
    case LeakVerdict::kGrowing:
      return "growing";
    case LeakVerdict::kTooShort:
      break;
  }
  return "too_short";
}

struct LeakMonitor::Impl {
  struct Track {
    TrendSamples samples;
    bool warned = false;
  };
  std::array<Track, kSeries.size()> tracks;
  std::optional<std::uint64_t> warm_from;  // batches done when the warm-up was over
  std::uint64_t batches = 0;
  std::uint64_t next_look = kJudgedBatches;
  std::optional<std::string> warning;

  std::uint64_t judged() const { return warm_from ? batches - *warm_from : 0; }

  // Before the warm-up is over the first half of what there is counts as warm-up.
  std::vector<TrendPoint> judged_points(std::size_t index) const {
    const std::vector<TrendPoint>& points = tracks[index].samples.points();
    return {points.begin() + static_cast<std::ptrdiff_t>(warm_from ? 0 : points.size() / 2),
            points.end()};
  }

  LeakVerdict verdict_of(std::size_t index, const Trend& trend) const {
    const Series& series = kSeries[index];
    if (judged() >= kJudgedBatches) {
      return passes(trend, gate_of(series.kind)) ? LeakVerdict::kGrowing : LeakVerdict::kFlat;
    }
    if (series.kind != Kind::kLive) {
      return LeakVerdict::kTooShort;
    }
    const std::optional<bool> grows = live_grows(judged_points(index));
    return !grows ? LeakVerdict::kTooShort : *grows ? LeakVerdict::kGrowing : LeakVerdict::kFlat;
  }

  LeakVerdict verdict() const {
    bool flat = false;
    for (std::size_t i = 0; i < kSeries.size(); ++i) {
      if (tracks[i].samples.points().empty()) {
        continue;
      }
      const LeakVerdict one = verdict_of(i, trend_of(tracks[i].samples.points()));
      if (one == LeakVerdict::kGrowing) {
        return one;
      }
      flat |= one == LeakVerdict::kFlat;
    }
    return flat ? LeakVerdict::kFlat : LeakVerdict::kTooShort;
  }

  // Looking at every batch would raise a false alarm sooner or later; at every doubling it does
  // not.
  void look() {
    if (judged() < next_look) {
      return;
    }
    next_look *= 2;
    for (std::size_t i = 0; i < kSeries.size(); ++i) {
      Track& track = tracks[i];
      if (track.warned || track.samples.points().empty()) {
        continue;
      }
      const Trend trend = trend_of(track.samples.points());
      if (verdict_of(i, trend) != LeakVerdict::kGrowing) {
        continue;
      }
      track.warned = true;
      const std::string text = std::string(kSeries[i].shown) + " grew by " +
                               amount(kSeries[i].kind, trend.per_1000_batches) +
                               " per 1,000 batches (" + format_count(judged()) +
                               " batches after the warm-up)";
      warning = warning ? *warning + "; " + text : text;
    }
  }
};

LeakMonitor::LeakMonitor() : impl_(std::make_unique<Impl>()) {}
LeakMonitor::~LeakMonitor() = default;
LeakMonitor::LeakMonitor(LeakMonitor&&) noexcept = default;
LeakMonitor& LeakMonitor::operator=(LeakMonitor&&) noexcept = default;

void LeakMonitor::sample(std::uint64_t batches, std::uint64_t records, bool warm,
                         const MemoryReading& reading) {
  Impl& impl = *impl_;
  impl.batches = batches;
  if (!impl.warm_from && batches >= (warm ? kWarmUpBatches : kLongestWarmUp)) {
    impl.warm_from = batches;
    for (Impl::Track& track : impl.tracks) {
      track.samples.clear();
    }
  }
  for (std::size_t i = 0; i < kSeries.size(); ++i) {
    if (const Field value = kSeries[i].pick(reading)) {
      impl.tracks[i].samples.add({static_cast<double>(batches), static_cast<double>(records),
                                  static_cast<double>(*value)});
    }
  }
  impl.look();
}

std::optional<std::string> LeakMonitor::take_warning() {
  return std::exchange(impl_->warning, std::nullopt);
}

LeakVerdict LeakMonitor::verdict() const {
  return impl_->verdict();
}

std::string LeakMonitor::summary() const {
  const Impl& impl = *impl_;
  const LeakVerdict verdict = impl.verdict();
  const bool is_short = impl.judged() < kJudgedBatches;
  std::vector<std::string> slopes;
  for (std::size_t i = 0; i < kSeries.size(); ++i) {
    const std::vector<TrendPoint> points = impl.judged_points(i);
    if (points.size() < 2) {
      continue;
    }
    const Trend trend = trend_of(points);
    const LeakVerdict one = impl.verdict_of(i, trend);
    // What the verdict rests on, and no slope that means nothing.
    const bool shown = verdict == LeakVerdict::kGrowing
                           ? one == verdict
                           : one != LeakVerdict::kTooShort && kSeries[i].kind != Kind::kCount;
    if (shown) {
      slopes.push_back(std::string(kSeries[i].shown) + " " +
                       amount(kSeries[i].kind, trend.per_1000_batches));
    }
  }
  const std::uint64_t seen = is_short ? impl.batches : impl.judged();
  const std::string batches = format_count(seen) + (is_short && seen == 1 ? " batch" : " batches");
  std::string text = "memory: ";
  if (slopes.empty()) {
    return text + "too short to judge (" + batches + ")";
  }
  if (is_short && verdict == LeakVerdict::kFlat) {
    return text + "live tensors flat; the process itself is judged from " +
           format_count(kWarmUpBatches + kJudgedBatches) + " batches on";
  }
  return text + std::string(to_string(verdict)) + " (" + join(slopes, ", ") +
         " per 1,000 batches, over " + batches + ")";
}

nlohmann::json LeakMonitor::report() const {
  nlohmann::json series = nlohmann::json::object();
  for (std::size_t i = 0; i < kSeries.size(); ++i) {
    const std::vector<TrendPoint>& points = impl_->tracks[i].samples.points();
    if (points.empty()) {
      continue;
    }
    const Trend trend = trend_of(points);
    series[kSeries[i].name] = {{"verdict", to_string(impl_->verdict_of(i, trend))},
                               {"per_1000_batches", trend.per_1000_batches},
                               {"first_half_per_1000_batches", trend.first_half},
                               {"second_half_per_1000_batches", trend.second_half},
                               {"per_million_records", trend.per_million_records},
                               {"first_decile", trend.first_decile},
                               {"last_decile", trend.last_decile},
                               {"samples", trend.points}};
  }
  return {{"verdict", to_string(verdict())},
          {"batches", impl_->batches},
          {"warm_up_batches", impl_->warm_from ? nlohmann::json(*impl_->warm_from) : nullptr},
          {"judged_batches", impl_->judged()},
          {"series", series}};
}

}  // namespace longhaul::device
