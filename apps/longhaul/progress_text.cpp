#include "progress_text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/text.hpp"

namespace longhaul::app {
namespace {

constexpr double kRateSeconds = 30;       // how far back the recent rate looks
constexpr double kLeastSeconds = 0.25;    // below this a rate is noise
constexpr std::size_t kPercentWidth = 5;  // "100 %"

std::string rate_text(double rate) {
  std::array<char, 32> buffer{};
  if (rate >= 100) {
    return format_count(static_cast<std::uint64_t>(std::llround(std::min(rate, 1e15)))) + "/s";
  }
  std::snprintf(buffer.data(), buffer.size(), rate >= 1 ? "%.1f/s" : "%.2f/s", rate);
  return buffer.data();
}

// Rounded down, so that 100 % means all.
std::string percent_text(double share) {
  return std::to_string(static_cast<int>(std::floor(share * 100))) + " %";
}

std::string batch_text(const ProgressSnapshot& snapshot) {
  return "batch " + std::to_string(snapshot.batch_rows) +
         (snapshot.width > 0 ? " x " + std::to_string(snapshot.width) : "");
}

// In whole seconds: a guess has no tenths.
std::string eta_text(const ProgressSnapshot& snapshot) {
  const double whole = std::ceil(*snapshot.seconds_left);
  return (snapshot.left_is_approximate ? "ETA ~" : "ETA ") +
         (whole < 60 ? std::to_string(static_cast<int>(std::max(whole, 0.0))) + " s"
                     : format_duration(std::chrono::duration<double>(whole)));
}

// By the terminal alone: what is beside the bar comes and goes.
std::size_t bar_width(unsigned columns) {
  return columns >= 130 ? 30 : columns >= 100 ? 20 : 10;
}

std::string drawn_bar(double share, std::size_t width) {
  const auto filled =
      std::min(width, static_cast<std::size_t>(std::floor(share * static_cast<double>(width))));
  return "[" + std::string(filled, '=') + (filled < width ? ">" : "") +
         std::string(width - filled - (filled < width ? 1 : 0), ' ') + "]";
}

nlohmann::json or_null(const auto& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

}  // namespace

std::optional<double> PaceMeter::add(const ProgressSnapshot& snapshot) {
  const Mark mark{snapshot.at_work, snapshot.records_done};
  if (!first_) {
    first_ = mark;
  }
  marks_.push_back(mark);
  while (marks_.size() > 2 && mark.at - marks_[1].at >= kRateSeconds) {
    marks_.pop_front();
  }
  return rate_between(marks_.front(), mark);
}

std::optional<double> PaceMeter::average(const ProgressSnapshot& snapshot) const {
  return first_ ? rate_between(*first_, {snapshot.at_work, snapshot.records_done}) : std::nullopt;
}

std::optional<double> PaceMeter::rate_between(const Mark& first, const Mark& last) {
  if (last.at - first.at < kLeastSeconds || last.records < first.records) {
    return std::nullopt;
  }
  return static_cast<double>(last.records - first.records) / (last.at - first.at);
}

std::optional<double> share_done(const ProgressSnapshot& snapshot) {
  const auto share = [](std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 1.0 : std::min(1.0, static_cast<double>(part) / static_cast<double>(whole));
  };
  if (snapshot.records_total) {
    return share(snapshot.records_done, *snapshot.records_total);
  }
  if (snapshot.bytes_total) {
    return share(snapshot.bytes_read, *snapshot.bytes_total);
  }
  return std::nullopt;
}

std::string bar_text(const ProgressSnapshot& snapshot, std::optional<double> rate,
                     unsigned columns) {
  // The last column stays free: writing into it makes some terminals wrap.
  const std::size_t room = columns > 1 ? columns - 1 : 0;
  std::vector<std::string> parts{
      format_count(snapshot.records_done) +
      (snapshot.records_total ? "/" + format_count(*snapshot.records_total) : " records")};
  if (rate) {
    parts.push_back(rate_text(*rate));
  }
  if (snapshot.seconds_left) {
    parts.push_back(eta_text(snapshot));
  }
  if (snapshot.rejected > 0) {
    parts.push_back("rejected " + format_count(snapshot.rejected));
  }
  if (snapshot.rss) {
    parts.push_back("RSS " + format_bytes(*snapshot.rss));
  }
  if (snapshot.device_allocated) {
    parts.push_back("device " + format_bytes(*snapshot.device_allocated));
  }
  if (snapshot.batch_rows > 0) {
    parts.push_back(batch_text(snapshot));
  }
  const std::optional<double> share = share_done(snapshot);
  const std::string percent = share ? percent_text(*share) : "";
  const std::size_t bar = bar_width(columns);
  const std::size_t head = share ? kPercentWidth + 1 + bar + 2 + 2 : 0;
  std::string tail = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (head + tail.size() + 2 + parts[i].size() > room) {
      break;
    }
    tail += "  " + parts[i];
  }
  if (!share || head + tail.size() > room) {
    return (share && percent.size() + 2 + tail.size() <= room ? percent + "  " + tail : tail)
        .substr(0, room);
  }
  return percent + std::string(kPercentWidth + 1 - percent.size(), ' ') + drawn_bar(*share, bar) +
         "  " + tail;
}

std::string line_text(const ProgressSnapshot& snapshot, std::optional<double> rate) {
  std::string text = format_count(snapshot.records_done);
  text += snapshot.records_total ? " of " + format_count(*snapshot.records_total) + " records"
                                 : " records";
  if (const std::optional<double> share = share_done(snapshot)) {
    text += " (" + percent_text(*share) + (snapshot.records_total ? ")" : " of the input read)");
  }
  if (rate) {
    text += ", " + rate_text(*rate);
  }
  if (snapshot.seconds_left) {
    text += ", " + eta_text(snapshot);
  }
  if (snapshot.batch_rows > 0) {
    text += ", " + batch_text(snapshot);
  }
  if (snapshot.rss) {
    text += ", RSS " + format_bytes(*snapshot.rss);
  }
  if (snapshot.device_allocated) {
    text += ", device " + format_bytes(*snapshot.device_allocated);
  }
  if (snapshot.rejected > 0) {
    text += ", rejected " + format_count(snapshot.rejected);
  }
  return text;
}

std::string json_text(const ProgressSnapshot& snapshot, std::optional<double> rate, bool final) {
  using nlohmann::json;
  const json object = {
      {"event", "progress"},
      {"final", final},
      {"records_done", snapshot.records_done},
      {"records_total", or_null(snapshot.records_total)},
      {"bytes_read", snapshot.bytes_read},
      {"bytes_total", or_null(snapshot.bytes_total)},
      {"rejected", snapshot.rejected},
      {"batches", snapshot.batches},
      {"batch_rows", snapshot.batch_rows},
      {"width", snapshot.width},
      {"rss_bytes", or_null(snapshot.rss)},
      {"device_allocated_bytes", or_null(snapshot.device_allocated)},
      {"elapsed_seconds", snapshot.elapsed},
      {"records_per_second", or_null(rate)},
      {"eta_seconds", or_null(snapshot.seconds_left)},
      {"eta_approximate",
       snapshot.seconds_left ? json(snapshot.left_is_approximate) : json(nullptr)}};
  return object.dump();
}

}  // namespace longhaul::app
