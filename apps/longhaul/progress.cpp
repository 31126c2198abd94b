#include "progress.hpp"

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

ProgressDisplay::ProgressDisplay(Console& console, ProgressStyle style, TimePoint start)
    : console_(console),
      style_(style),
      start_(start),
      // A bar and JSON say something at once; the first plain line comes after half a minute.
      last_shown_(style == ProgressStyle::kLines ? start : start - interval(style)) {}

void ProgressDisplay::update(const ProgressSnapshot& snapshot, TimePoint now) {
  if (style_ == ProgressStyle::kNone || finished_) {
    return;
  }
  if (!last_metered_ || now - *last_metered_ >= kMeterInterval) {
    last_metered_ = now;
    pace_ = meter_.add(snapshot, now - start_);
  }
  if (now - last_shown_ >= interval(style_)) {
    last_shown_ = now;
    show(snapshot);
  }
}

void ProgressDisplay::show(const ProgressSnapshot& snapshot) {
  if (style_ == ProgressStyle::kBar) {
    console_.set_status(bar_text(snapshot, pace_, stderr_columns()));
  } else if (style_ == ProgressStyle::kJson) {
    console_.print(json_text(snapshot, pace_, finished_));
  } else {
    console_.info(line_text(snapshot, pace_));
  }
}

void ProgressDisplay::finish(const ProgressSnapshot& snapshot, TimePoint now) {
  if (style_ == ProgressStyle::kNone || finished_) {
    return;
  }
  finished_ = true;
  pace_ = meter_.average(snapshot, now - start_);
  if (style_ == ProgressStyle::kBar) {
    console_.set_status("");
    console_.print(bar_text(snapshot, pace_, stderr_columns()));
  } else {
    show(snapshot);
  }
}

ProgressStyle resolve_style(const config::RunConfig& config, const std::string& term) {
  if (config.progress != ProgressStyle::kAuto) {
    return config.progress;
  }
  if (config.quiet) {
    return ProgressStyle::kNone;
  }
  return stderr_is_terminal(term) ? ProgressStyle::kBar : ProgressStyle::kLines;
}

}  // namespace longhaul::app
