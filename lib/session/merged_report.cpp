#include "session/merged_report.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "base/file_lines.hpp"
#include "base/text.hpp"
#include "session/run_report.hpp"
#include "store/store_layout.hpp"
#include "store/text_file.hpp"

namespace longhaul::session {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

json setting_of(const ordered_json& report, const char* name) {
  const auto settings = report.find("settings");
  if (settings == report.end() || !settings->is_object() || !settings->contains(name)) {
    return nullptr;
  }
  return settings->at(name).value("value", json());
}

template <typename T>
void keep_least(std::optional<T>& limit, const std::optional<T>& other) {
  if (other && (!limit || *other < *limit)) {
    limit = other;
  }
}

// Why low bits may differ from those of one process on one machine.
std::set<std::string> numeric_reasons(const ShardSet& set,
                                      const std::vector<ordered_json>& reports) {
  std::set<std::string> reasons;
  for (const ordered_json& report : reports) {
    if (report.value("bits", "numeric") == "exact") {
      continue;
    }
    for (const json reason : report.value("bits_reasons", ordered_json::array({"a shard"}))) {
      reasons.insert(reason.is_string() ? reason.get<std::string>() : reason.dump());
    }
  }
  const json& here = set.first().begin.bits_machine;
  for (const ShardOutput& shard : set.shards) {
    if (shard.begin.bits_machine != here) {
      reasons.insert("shards on unlike machines, binaries or settings of libraries: " +
                     here.dump() + " and " + shard.begin.bits_machine.dump());
    }
  }
  return reasons;
}

}  // namespace

std::vector<ordered_json> shard_reports(const ShardSet& set) {
  std::vector<ordered_json> reports;
  for (const ShardOutput& shard : set.shards) {
    reports.push_back(shard.output.run());
    if (reports.back().empty()) {
      throw Error(ExitCode::kBadData,
                  shard.output.path_of(store::store_files::kReport) + " is missing or damaged",
                  kMendShard);
    }
  }
  return reports;
}

config::RejectLimit limit_of(const std::vector<ordered_json>& reports) {
  const config::Setting* const setting = config::find_setting("max-rejects");
  config::RejectLimit limit;
  for (const ordered_json& report : reports) {
    if (const json value = setting_of(report, "max-rejects"); !value.is_null()) {
      config::RunConfig given;
      setting->set(given, value.is_string() ? value.get<std::string>() : value.dump());
      keep_least(limit.count, given.max_rejects.count);
      keep_least(limit.percent, given.max_rejects.percent);
    }
    if (setting_of(report, "strict") == true) {
      limit.count = 0;
    }
  }
  return limit;
}

ordered_json merged_report(const ShardSet& set, const std::vector<ordered_json>& reports,
                           const MergedRun& run) {
  ordered_json report = reports.front();
  json counts = to_json(run.counters);
  json left_out = take_left_out(counts);
  report["state"] = "complete";
  report["counts"] = std::move(counts);
  report["left_out"] = std::move(left_out);
  report["code"] = to_int(run.code);
  const std::set<std::string> reasons = numeric_reasons(set, reports);
  report["bits"] = reasons.empty() ? "exact" : "numeric";
  report["bits_reasons"] = reasons;
  report["fingerprint"] = run.fingerprint;
  // So that it can be replayed: the whole input.
  if (report.contains("settings") && report["settings"].contains("shard")) {
    report["settings"]["shard"] = {{"value", nullptr}, {"origin", "default"}};
  }
  for (const auto& [name, setting] : run.settings.items()) {
    report["settings"][name] = setting;
  }
  report.erase("shard");
  report["merge"] = run.merge;
  ordered_json shards = ordered_json::array();
  ordered_json sessions = ordered_json::array();
  for (std::size_t i = 0; i < reports.size(); ++i) {
    const ShardOutput& shard = set.shards[i];
    const ordered_json theirs = reports[i].value("sessions", ordered_json::array());
    for (const ordered_json& session : theirs) {
      ordered_json line = {{"shard", shard.shard.index}};
      line.update(session);
      sessions.push_back(std::move(line));
    }
    shards.push_back({{"shard", to_string(shard.shard)},
                      {"records", shard.counters.records},
                      {"ok", shard.counters.ok},
                      {"rejected", shard.counters.rejected},
                      {"sessions", theirs.size()},
                      {"bits", reports[i].value("bits", "numeric")}});
  }
  report["shards"] = std::move(shards);
  report["sessions"] = std::move(sessions);
  return report;
}

void write_memory_log(Files& files, const std::string& output, const ShardSet& set, Log& log) {
  store::TextFile to(
      files.open(store::path_in(output, store::store_files::kMemory), OpenMode::kCreate), 0);
  for (const ShardOutput& shard : set.shards) {
    const std::string path = shard.output.path_of(store::store_files::kMemory);
    if (!files.exists(path)) {
      log.warning(path + " is missing: what memory did in that shard is not told");
      continue;
    }
    const auto file = files.open(path, OpenMode::kRead);
    std::uint64_t damaged = 0;
    for_each_line(*file, [&](std::string_view text, bool terminated) {
      const ordered_json line =
          terminated ? ordered_json::parse(text, nullptr, false) : ordered_json();
      if (line.is_object()) {
        ordered_json with = {{"shard", shard.shard.index}};
        with.update(line);
        to.append(with.dump() + "\n");
      } else {
        ++damaged;
      }
    });
    if (damaged > 0) {
      log.warning(path + ": " + format_count(damaged) + (damaged == 1 ? " line is" : " lines are") +
                  " torn or damaged, and left out");
    }
  }
  to.sync();
}

}  // namespace longhaul::session
