#include "run/forecast.hpp"

#include <algorithm>
#include <utility>

#include "plan/window.hpp"

namespace longhaul::run {
namespace {

// With Order::kInput a part has the width of its longest record: without this there would be as
// many widths as lengths.
plan::Workload by_rung(const plan::Workload& work) {
  plan::Workload rungs;
  for (const auto& [width, tokens] : work.tokens) {
    rungs.tokens[plan::rung_of(width, std::nullopt)] += tokens;
  }
  return rungs;
}

Work by_rung(const Work& work) {
  return {by_rung(work.computed), work.passed};
}

double share(std::uint64_t part, std::uint64_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

void Forecast::begin_window(WindowWork window) {
  window_ = std::move(window);
  window_.all = by_rung(window_.all);
  window_.left = by_rung(window_.left);
  read_.computed.add(window_.all.computed);
  read_.passed += window_.all.passed;
  rows_read_ += window_.end_row - std::min(window_.first_row, window_.end_row);
  bytes_read_ += window_.end_byte - std::min(window_.first_byte, window_.end_byte);
}

void Forecast::done(const Work& done, double seconds) {
  const Work work = by_rung(done);
  window_.left.computed.take(work.computed);
  window_.left.passed -= std::min(window_.left.passed, work.passed);
  if (work.computed.total() == 0) {
    seconds_passing_ += work.passed > 0 ? seconds : 0;
    passed_ += work.passed;
  } else if (!begun_) {
    begun_ = true;
  } else if (!times_.learn(work.computed, seconds)) {
    seconds = times_.seconds_of(work.computed).value_or(0);
  }
  seconds_at_work_ += seconds;
}

std::optional<double> Forecast::seconds_of(const Work& work) const {
  const bool computes = work.computed.total() > 0;
  if (computes ? !times_.known() : work.passed > 0 && passed_ == 0 && !times_.known()) {
    return std::nullopt;
  }
  // Beside what is computed, records that are not take no time of their own.
  const double one = passed_ > 0 ? seconds_passing_ / static_cast<double>(passed_) : 0;
  return (computes ? *times_.seconds_of(work.computed) : 0) +
         one * static_cast<double>(work.passed);
}

std::optional<double> Forecast::share_unread(const input::InputProgress& whole) const {
  if (whole.records_total) {
    const std::uint64_t left =
        *whole.records_total - std::min(window_.end_row, *whole.records_total);
    return left == 0 ? 0 : rows_read_ > 0 ? std::optional(share(left, rows_read_)) : std::nullopt;
  }
  if (whole.bytes_total && bytes_read_ > 0) {
    return share(*whole.bytes_total - std::min(window_.end_byte, *whole.bytes_total), bytes_read_);
  }
  return std::nullopt;
}

std::optional<TimeLeft> Forecast::left(const input::InputProgress& whole) const {
  const std::optional<double> unread = share_unread(whole);
  const std::optional<double> here = seconds_of(window_.left);
  const std::optional<double> such = seconds_of(read_);
  if (!unread || !here || (*unread > 0 && !such)) {
    return std::nullopt;
  }
  return TimeLeft{*here + (*unread > 0 ? *unread * *such : 0), *unread > 0};
}

}  // namespace longhaul::run
