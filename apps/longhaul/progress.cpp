#include "progress.hpp"

#include <utility>

#include "base/text.hpp"

namespace longhaul::app {
namespace {

using namespace std::chrono_literals;

std::chrono::milliseconds interval(ProgressStyle style) {
  switch (style) {
    case ProgressStyle::kBar:
      return 100ms;
    case ProgressStyle::kJson:
      return 1s;
    default:
      return 30s;
  }
}

constexpr std::chrono::milliseconds kMeterInterval = 500ms;

}  // namespace

ProgressDisplay::ProgressDisplay(Console& console, ProgressStyle style, TimePoint start,
                                 MetricsFile* metrics)
    : console_(console),
      style_(style),
      metrics_(metrics),
      // A bar and JSON say something at once; the first plain line comes after half a minute.
      last_shown_(style == ProgressStyle::kLines ? start : start - interval(style)) {}

void ProgressDisplay::update(const ProgressSnapshot& snapshot, TimePoint now) {
  if (metrics_ != nullptr) {
    metrics_->update(snapshot, now);
  }
  if (style_ == ProgressStyle::kNone || finished_) {
    return;
  }
  if (!last_metered_ || now - *last_metered_ >= kMeterInterval) {
    last_metered_ = now;
    rate_ = meter_.add(snapshot);
  }
  if (now - last_shown_ >= interval(style_)) {
    last_shown_ = now;
    show(snapshot);
  }
}

void ProgressDisplay::show(const ProgressSnapshot& snapshot) {
  if (style_ == ProgressStyle::kBar) {
    console_.set_status(bar_text(snapshot, rate_, stderr_columns()));
  } else if (style_ == ProgressStyle::kJson) {
    console_.print(json_text(snapshot, rate_, finished_));
  } else {
    console_.info(line_text(snapshot, rate_));
  }
}

void ProgressDisplay::finish(ProgressSnapshot snapshot, TimePoint now) {
  snapshot.seconds_left.reset();
  if (metrics_ != nullptr) {
    metrics_->update(snapshot, now);
  }
  if (style_ == ProgressStyle::kNone || finished_) {
    return;
  }
  finished_ = true;
  rate_ = meter_.average(snapshot);
  if (style_ == ProgressStyle::kBar) {
    console_.set_status("");
    console_.print(bar_text(snapshot, rate_, stderr_columns()));
  } else {
    show(snapshot);
  }
}

ProgressStyle resolve_style(const config::RunConfig& config,
                            const std::map<std::string, std::string>& environment) {
  if (config.progress != ProgressStyle::kAuto) {
    return config.progress;
  }
  if (config.quiet) {
    return ProgressStyle::kNone;
  }
  const auto term = environment.find("TERM");
  return stderr_is_terminal(term == environment.end() ? "" : term->second) ? ProgressStyle::kBar
                                                                           : ProgressStyle::kLines;
}

std::function<void(std::uint64_t, std::uint64_t)> tell_now_and_then(Console& console,
                                                                    std::string what) {
  using Clock = std::chrono::steady_clock;
  return [&console, what = std::move(what), last = Clock::now()](std::uint64_t done,
                                                                 std::uint64_t all) mutable {
    if (Clock::now() - last >= 30s) {
      last = Clock::now();
      console.info(format_count(done) + " of " + format_count(all) + " records are " + what);
    }
  };
}

}  // namespace longhaul::app
