#include "session/shard_states.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "input/selection.hpp"
#include "session/output_state.hpp"
#include "session/run_begin.hpp"
#include "session/shard_choices.hpp"
#include "store/output_reader.hpp"
#include "store/shards.hpp"

namespace longhaul::session {
namespace {

using nlohmann::json;

// From the last samples of memory.jsonl: run.json does not know of a session before its end.
std::optional<double> recent_rate(const store::OutputReader& output, Files& files) {
  constexpr std::uint64_t kTail = 64 << 10;
  const std::string path = output.path_of(store::store_files::kMemory);
  if (!files.exists(path)) {
    return std::nullopt;
  }
  const auto file = files.open(path, OpenMode::kRead);
  const std::uint64_t size = file->size();
  std::string tail(std::min(size, kTail), '\0');
  tail.resize(file->read_at(size - tail.size(),
                            std::as_writable_bytes(std::span(tail.data(), tail.size()))));
  std::optional<double> first_time, last_time, first, last;
  for (std::size_t at = 0, end = 0; (end = tail.find('\n', at)) != std::string::npos;
       at = end + 1) {
    const json line = json::parse(tail.begin() + static_cast<std::ptrdiff_t>(at),
                                  tail.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    if (!line.is_object() || !line.value("time", json()).is_number() ||
        !line.value("records", json()).is_number()) {
      continue;  // the tail begins inside a line
    }
    const double time = line["time"];
    const double records = line["records"];
    if (!last_time || time < *last_time) {  // another session
      first_time = time;
      first = records;
    }
    last_time = time;
    last = records;
  }
  if (!last_time || *last_time <= *first_time) {
    return std::nullopt;
  }
  return (*last - *first) / (*last_time - *first_time);
}

void look_at(Files& files, const std::string& path, const store::OutputReader& reader,
             ShardState& shard) {
  const OutputState output = read_output_state(files, path);
  shard.state = output.state;
  shard.holder = output.holder;
  shard.done = output.counts.value("records", std::uint64_t{0});
  shard.rejected = output.counts.value("rejected", std::uint64_t{0});
  const json report = output.report;
  if (report.value("host", json()).is_string()) {
    shard.host = report["host"];
  }
  const json sessions = report.value("sessions", json::array());
  if (output.state == "complete" && sessions.is_array() && !sessions.empty()) {
    const json rate =
        sessions.back().value(json::json_pointer("/timings/records_per_second"), json(nullptr));
    shard.rate = rate.is_number() ? std::optional(rate.get<double>()) : std::nullopt;
  } else {
    shard.rate = recent_rate(reader, files);
  }
}

// Records of the whole input, where a shard has come to its end.
std::optional<std::uint64_t> whole_of(const store::OutputReader& reader) {
  if (!reader.claims()) {
    return std::nullopt;
  }
  const auto& finish = reader.claims()->run.finish;
  return finish && finish->contains("whole")
             ? std::optional(shard_finish_from_json(*finish).whole.records)
             : std::nullopt;
}

}  // namespace

std::vector<ShardState> shard_states(Files& files, const std::string& output) {
  const std::vector<Shard> begun = store::list_shards(files, output);
  const std::optional<ShardChoices> choices = read_shard_choices(files, output);
  const std::uint64_t count = choices ? choices->shards : begun.empty() ? 0 : begun.back().count;
  std::vector<ShardState> shards;
  std::optional<IndexIdentity> by;
  std::optional<std::uint64_t> whole;
  if (choices && choices->index) {
    by = choices->index;
    whole = by->records;
  }
  for (std::uint64_t index = 1; index <= count; ++index) {
    ShardState shard;
    shard.shard = {index, count};
    shard.state = "not begun";
    const std::string path = store::shard_directory(output, shard.shard);
    if (files.exists(store::path_in(path, store::store_files::kJournal))) {
      try {
        const store::OutputReader reader(files, path);
        look_at(files, path, reader, shard);
        whole = whole ? whole : whole_of(reader);
        if (!choices && reader.claims()) {
          by = run_begin_from_json(reader.claims()->run.begin).index;
        }
      } catch (const Error& error) {
        shard.state = std::string("damaged: ") + error.what();
      }
    }
    shards.push_back(std::move(shard));
  }
  for (ShardState& shard : shards) {
    shard.of = input::ShardBlocks(shard.shard.index, count, dealt_block(by)).count_of(whole);
  }
  return shards;
}

nlohmann::ordered_json to_json(const ShardState& shard) {
  const auto or_null = [](const auto& value) { return value ? json(*value) : json(nullptr); };
  return {{"shard", shard.shard.index},
          {"state", shard.state},
          {"records", shard.done},
          {"of", or_null(shard.of)},
          {"rejected", shard.rejected},
          {"records_per_second", or_null(shard.rate)},
          {"host", shard.host.empty() ? json(nullptr) : json(shard.host)}};
}

}  // namespace longhaul::session
