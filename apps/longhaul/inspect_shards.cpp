#include "inspect_shards.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/text.hpp"
#include "session/shard_states.hpp"
#include "store/shards.hpp"
#include "store/store_layout.hpp"
#include "terminal_text.hpp"

namespace longhaul::app {
namespace {

using session::ShardState;

std::string rate_text(double rate) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), rate < 100 ? "%.1f" : "%.0f", rate);
  return text.data() + std::string(" records/s");
}

// Seconds that a running shard still takes.
std::optional<double> time_left(const ShardState& shard) {
  if (shard.state != "running" || !shard.of || !shard.rate || *shard.rate <= 0) {
    return std::nullopt;
  }
  return static_cast<double>(*shard.of - std::min(shard.done, *shard.of)) / *shard.rate;
}

std::string line_of(const ShardState& shard) {
  std::string line = shard.state;
  if (shard.state == "not begun") {
    return line;
  }
  if (shard.state == "stopped") {
    line += " before it could say why";
  }
  line += ": " + format_count(shard.done) +
          (shard.of ? " of " + format_count(*shard.of) : std::string()) + " records";
  if (shard.rejected > 0) {
    line += ", " + format_count(shard.rejected) + " rejected";
  }
  if (shard.rate) {
    line += ", " + rate_text(*shard.rate);
  }
  if (!shard.host.empty()) {
    line += ", " + shard.host;
  }
  if (const std::optional<double> left = time_left(shard)) {
    line += ", " + format_duration(std::chrono::duration<double>(*left)) + " left";
  }
  return line;
}

std::string summary(const std::vector<ShardState>& shards) {
  std::uint64_t complete = 0;
  std::uint64_t done = 0;
  std::uint64_t whole = 0;
  bool known = !shards.empty();
  std::optional<double> slowest;
  for (const ShardState& shard : shards) {
    complete += shard.state == "complete" ? 1U : 0U;
    done += shard.done;
    whole += shard.of.value_or(0);
    known = known && shard.of;
    if (const std::optional<double> left = time_left(shard)) {
      slowest = std::max(slowest.value_or(0), *left);
    }
  }
  std::string text = format_count(complete) + " of " + format_count(shards.size()) +
                     " complete, not merged; " + format_count(done) +
                     (known ? " of " + format_count(whole) : std::string()) + " records";
  if (slowest) {
    text += "; the slowest that runs takes " +
            format_duration(std::chrono::duration<double>(*slowest)) + " more";
  }
  return text;
}

}  // namespace

bool holds_shards(const std::string& path) {
  const std::unique_ptr<Files> files = posix_files();
  return !files->exists(store::path_in(path, store::store_files::kJournal)) &&
         store::has_shards(*files, path);
}

ExitCode inspect_shards(const std::string& path, bool as_json, std::size_t columns) {
  const std::unique_ptr<Files> files = posix_files();
  const std::vector<ShardState> shards = session::shard_states(*files, path);
  if (as_json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const ShardState& shard : shards) {
      list.push_back(to_json(shard));
    }
    std::cout << nlohmann::ordered_json{{"output", printable(path, 4096)}, {"shards", list}}.dump()
              << '\n';
    return ExitCode::kDone;
  }
  std::cout << named_line("output", path, columns);
  std::cout << named_line("shards", summary(shards), columns);
  for (const ShardState& shard : shards) {
    std::cout << named_line(std::to_string(shard.shard.index), line_of(shard), columns);
  }
  return ExitCode::kDone;
}

}  // namespace longhaul::app
