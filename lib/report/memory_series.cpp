#include "report/memory_series.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

namespace longhaul::report {
namespace {

using nlohmann::json;

void raise(std::optional<double>& most, const std::optional<double>& value) {
  if (value && (!most || *value > *most)) {
    most = value;
  }
}

std::optional<double> number_in(const json& line, const char* name) {
  const auto found = line.find(name);
  return found != line.end() && found->is_number() ? std::optional(found->get<double>())
                                                   : std::nullopt;
}

// Points that are joined two and two when there are too many.
class Thinned {
 public:
  explicit Thinned(std::size_t most) : limit_(2 * std::max<std::size_t>(most, 2)) {}

  void add(const MemoryPoint& point) {
    if (!points_.empty() && points_.back().session == point.session && in_last_ < each_) {
      join_into(points_.back(), point);
      ++in_last_;
      return;
    }
    if (points_.size() >= limit_) {
      halve();
    }
    points_.push_back(point);
    in_last_ = 1;
  }
  std::vector<MemoryPoint> take() { return std::move(points_); }

 private:
  static void join_into(MemoryPoint& point, const MemoryPoint& next) {
    point.seconds = next.seconds;
    point.records = next.records ? next.records : point.records;
    raise(point.rss, next.rss);
    raise(point.live, next.live);
    raise(point.device, next.device);
  }
  void halve() {
    std::vector<MemoryPoint> fewer;
    for (std::size_t i = 0; i < points_.size(); ++i) {
      fewer.push_back(points_[i]);
      if (i + 1 < points_.size() && points_[i + 1].session == points_[i].session) {
        join_into(fewer.back(), points_[++i]);
      }
    }
    if (fewer.size() < points_.size()) {
      each_ *= 2;
    }
    // Every session keeps a point: of many of them there are more.
    limit_ = std::max(limit_, 2 * fewer.size());
    points_ = std::move(fewer);
  }

  std::size_t limit_;       // of points, before they are joined
  std::uint64_t each_ = 1;  // samples in a point
  std::uint64_t in_last_ = 0;
  std::vector<MemoryPoint> points_;
};

}  // namespace

MemorySeries read_memory_series(Files& files, const std::string& path, std::size_t most_points,
                                const Stop& stop) {
  MemorySeries series;
  if (files.kind(path) != PathKind::kFile) {
    return series;
  }
  Thinned points(most_points);
  MemoryPoint point;
  bool first = true;
  const auto take_line = [&](std::string_view text) {
    const json line = json::parse(text, nullptr, false);
    const auto seconds = line.is_object() ? number_in(line, "time") : std::nullopt;
    if (!seconds) {
      ++series.unreadable;
      return;
    }
    point.session += !first && *seconds < point.seconds ? 1U : 0U;
    point.seconds = *seconds;
    point.records = number_in(line, "records");
    point.rss = number_in(line, "rss");
    point.live = number_in(line, "live");
    point.device = number_in(line, "device_allocated");
    first = false;
    ++series.samples;
    points.add(point);
  };
  const auto file = files.open(path, OpenMode::kRead);
  std::string held;
  std::string chunk(1U << 16, '\0');
  std::uint64_t at = 0;
  while (const std::size_t got =
             file->read_at(at, std::as_writable_bytes(std::span(chunk.data(), chunk.size())))) {
    stop_if_asked(stop);
    at += got;
    held.append(chunk, 0, got);
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = held.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      take_line(std::string_view(held).substr(begin, end - begin));
    }
    held.erase(0, begin);
  }
  series.unreadable += held.empty() ? 0U : 1U;
  series.points = points.take();
  return series;
}

nlohmann::ordered_json to_json(const MemorySeries& series) {
  nlohmann::ordered_json told = {{"samples", series.samples}, {"unreadable", series.unreadable}};
  for (const char* name : {"session", "seconds", "records", "rss", "live", "device", "rate"}) {
    told[name] = nlohmann::ordered_json::array();
  }
  const auto put = [&](const char* name, const std::optional<double>& value) {
    told[name].push_back(value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr));
  };
  const MemoryPoint* before = nullptr;
  for (std::size_t i = 0; i < series.points.size(); ++i) {
    const MemoryPoint& point = series.points[i];
    told["session"].push_back(point.session);
    put("seconds", point.seconds);
    put("records", point.records);
    put("rss", point.rss);
    put("live", point.live);
    put("device", point.device);
    std::optional<double> rate;
    // While a session ends nothing is embedded: that is no speed.
    const bool ending =
        (i + 1 == series.points.size() || series.points[i + 1].session != point.session) &&
        before != nullptr && point.records == before->records;
    if (!ending && before != nullptr && before->session == point.session && point.records &&
        before->records && *point.records >= *before->records && point.seconds > before->seconds) {
      rate = (*point.records - *before->records) / (point.seconds - before->seconds);
    }
    put("rate", rate);
    before = &point;
  }
  return told;
}

}  // namespace longhaul::report
