// What a process of several says to the one that started it: a line of JSON for each message and
// for how far it is, on its standard error. All else there (of libraries, of the system) is taken
// as it is.
// Values and pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"

namespace longhaul::launch {

// How far one process is, or all of them.
struct Progress {
  std::uint64_t records_done = 0;
  std::optional<std::uint64_t> records_total{};
  std::uint64_t bytes_read = 0;
  std::optional<std::uint64_t> bytes_total{};
  std::uint64_t rejected = 0;
  std::uint64_t batches = 0;
  std::optional<std::uint64_t> rss{};
  std::optional<std::uint64_t> device_allocated{};
  std::optional<double> seconds_left{};
  bool left_is_approximate = false;
  bool over = false;  // it says no more
};

// All together: counts are added up; how much there is to do is not known before all know their
// part, nor how long it takes before all who are not done know that: it is what the slowest takes.
// Those that have not said anything yet count as nothing done.
Progress sum_of(const std::vector<std::optional<Progress>>& processes);

struct ProcessLine {
  enum class Kind {
    kProgress,
    kMessage,
    kFailure,  // the one line that a failure ends with
    kForeign,  // not ours
  };
  Kind kind = Kind::kForeign;
  LogLevel level = LogLevel::kWarning;
  std::string text;
  Progress progress;
};

ProcessLine read_process_line(std::string_view line);

std::string message_line(LogLevel level, std::string_view text);
std::string failure_line(std::string_view text);

}  // namespace longhaul::launch
