#include "inspect_shards.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "session/indexing.hpp"
#include "session/shard_index.hpp"
#include "session/shard_states.hpp"
#include "store/embedding_store.hpp"
#include "store/merged_output.hpp"
#include "store/output_reader.hpp"
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

// A merge that was begun and is not finished.
struct BegunMerge {
  std::size_t copied = 0;  // shards
  std::string holder;      // who is at it; empty where nobody is
};

std::optional<BegunMerge> begun_merge(Files& files, const std::string& path) {
  const auto state = store::read_store_if_begun(files, path);
  if (!state || state->finish || !store::merged_shards(*state)) {
    return std::nullopt;
  }
  return BegunMerge{store::merge_claims(*state).size(), store::holder_of(files, path)};
}

std::string line_of(const BegunMerge& merge, std::size_t shards, const std::string& path) {
  return std::string(merge.holder.empty() ? "begun and stopped: " : "running: ") +
         format_count(merge.copied) + " of " + format_count(shards) + " shards are copied; " +
         (merge.holder.empty() ? "longhaul merge " + shell_word(path) + " goes on with it"
                               : merge.holder);
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
  if (!files->exists(store::path_in(path, store::store_files::kJournal))) {
    return store::has_shards(*files, path) || store::has_index(*files, path);
  }
  try {
    return begun_merge(*files, path).has_value();
  } catch (const Error&) {
    return false;  // whoever reads it as an output says what is wrong
  }
}

ExitCode inspect_shards(const std::string& path, bool as_json, std::size_t columns) {
  const std::unique_ptr<Files> files = posix_files();
  const std::vector<ShardState> shards = session::shard_states(*files, path);
  const std::optional<BegunMerge> merge = begun_merge(*files, path);
  const std::optional<input::InputIndex> index = session::read_output_index(*files, path);
  if (as_json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const ShardState& shard : shards) {
      list.push_back(to_json(shard));
    }
    nlohmann::ordered_json told{{"output", printable(path, 4096)}, {"shards", list}};
    if (merge) {
      told["merge"] = {{"copied", merge->copied},
                       {"state", merge->holder.empty() ? "stopped" : "running"}};
    }
    if (index) {
      told["index"] = session::summary_of(*index);
    }
    std::cout << told.dump() << '\n';
    return ExitCode::kDone;
  }
  std::cout << named_line("output", path, columns);
  if (index) {
    std::cout << named_line("index", session::in_words(*index), columns);
  }
  std::cout << named_line("shards", shards.empty() ? "none was begun" : summary(shards), columns);
  if (merge) {
    std::cout << named_line("merge", line_of(*merge, shards.size(), path), columns);
  }
  for (const ShardState& shard : shards) {
    std::cout << named_line(std::to_string(shard.shard.index), line_of(shard), columns);
  }
  return ExitCode::kDone;
}

}  // namespace longhaul::app
