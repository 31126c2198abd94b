#include "launch/process_lines.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/run_config.hpp"

namespace longhaul::launch {
namespace {

using nlohmann::json;

std::uint64_t count_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::optional<std::uint64_t> maybe(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_unsigned()
             ? std::optional(found->get<std::uint64_t>())
             : std::nullopt;
}

std::optional<double> number_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? std::optional(found->get<double>())
                                                     : std::nullopt;
}

bool is_true(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

std::string text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string dumped(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

void add(std::optional<std::uint64_t>& sum, const std::optional<std::uint64_t>& other) {
  if (sum) {
    sum = other ? std::optional(*sum + *other) : std::nullopt;
  }
}

void add_time_left(Progress& sum, const std::vector<std::optional<Progress>>& processes) {
  sum.seconds_left = 0;
  for (const std::optional<Progress>& process : processes) {
    if (process && process->over) {
      continue;
    }
    if (!process || !process->seconds_left) {
      sum.seconds_left.reset();
      break;
    }
    sum.seconds_left = std::max(*sum.seconds_left, *process->seconds_left);
    sum.left_is_approximate = sum.left_is_approximate || process->left_is_approximate;
  }
}

}  // namespace

Progress sum_of(const std::vector<std::optional<Progress>>& processes) {
  Progress sum;
  sum.records_total = sum.bytes_total = 0;
  for (const std::optional<Progress>& one : processes) {
    const Progress process = one.value_or(Progress());
    sum.records_done += process.records_done;
    sum.bytes_read += process.bytes_read;
    sum.rejected += process.rejected;
    sum.batches += process.batches;
    add(sum.records_total, process.records_total);
    add(sum.bytes_total, process.bytes_total);
    if (process.rss) {
      sum.rss = sum.rss.value_or(0) + *process.rss;
    }
    if (process.device_allocated) {
      sum.device_allocated = sum.device_allocated.value_or(0) + *process.device_allocated;
    }
  }
  add_time_left(sum, processes);
  return sum;
}

ProcessLine read_process_line(std::string_view line) {
  const json object = line.starts_with('{') ? json::parse(line, nullptr, false) : json();
  const std::string event = object.is_object() ? text_of(object, "event") : "";
  ProcessLine read;
  if (event == "progress") {
    read.kind = ProcessLine::Kind::kProgress;
    read.progress = {.records_done = count_of(object, "records_done"),
                     .records_total = maybe(object, "records_total"),
                     .bytes_read = count_of(object, "bytes_read"),
                     .bytes_total = maybe(object, "bytes_total"),
                     .rejected = count_of(object, "rejected"),
                     .batches = count_of(object, "batches"),
                     .rss = maybe(object, "rss_bytes"),
                     .device_allocated = maybe(object, "device_allocated_bytes"),
                     .seconds_left = number_of(object, "eta_seconds"),
                     .left_is_approximate = is_true(object, "eta_approximate"),
                     .over = is_true(object, "final")};
  } else if (event == "message") {
    read.kind = ProcessLine::Kind::kMessage;
    read.level = from_string<LogLevel>(text_of(object, "level")).value_or(LogLevel::kWarning);
    read.text = text_of(object, "text");
  } else if (event == "failure") {
    read.kind = ProcessLine::Kind::kFailure;
    read.level = LogLevel::kError;
    read.text = text_of(object, "text");
  } else {
    read.text = line;
  }
  return read;
}

std::string message_line(LogLevel level, std::string_view text) {
  return dumped({{"event", "message"}, {"level", to_string(level)}, {"text", text}});
}

std::string failure_line(std::string_view text) {
  return dumped({{"event", "failure"}, {"text", text}});
}

}  // namespace longhaul::launch
