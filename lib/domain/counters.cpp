#include "domain/counters.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

namespace longhaul {
namespace {

nlohmann::json to_json(const ReuseCounts& counts) {
  return {{"reused", counts.reused()},
          {"new", counts.added},
          {"changed", counts.changed},
          {"removed", counts.removed},
          {"from", counts.taken}};
}

ReuseCounts reuse_from_json(const nlohmann::json& json) {
  ReuseCounts counts;
  counts.taken = json.at("from").get<std::map<std::string, std::uint64_t>>();
  counts.added = json.at("new");
  counts.changed = json.at("changed");
  counts.removed = json.at("removed");
  return counts;
}

}  // namespace

std::uint64_t ReuseCounts::reused() const {
  return std::accumulate(taken.begin(), taken.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& output) { return sum + output.second; });
}

void Counters::add(const RecordRow& row, const Noticed& noticed) {
  ++records;
  switch (row.status) {
    case Status::kOk:
      ++ok;
      residues += row.length;
      break;
    case Status::kRejected:
      ++rejected;
      if (row.defect) {
        ++rejected_by_reason[std::string(to_string(row.defect->reason))];
      }
      return;
    case Status::kDuplicate:
      ++duplicates;
      break;
  }
  truncated += row.truncated ? 1 : 0;
  substituted_records += row.substituted > 0 ? 1 : 0;
  substituted_characters += row.substituted;
  gapped_records += row.gaps > 0 ? 1 : 0;
  gaps_removed += row.gaps;
  windowed += row.windows > 0 ? 1 : 0;
  windows += row.windows;
  stops_dropped += noticed.stop_dropped ? 1 : 0;
  looks_like_nucleotides += noticed.looks_like_nucleotides ? 1 : 0;
}

std::uint64_t rejected_so_far(const Counters& counters, std::span<const LateOutcome> late) {
  return counters.rejected + static_cast<std::uint64_t>(std::count_if(
                                 late.begin(), late.end(), [](const LateOutcome& outcome) {
                                   return outcome.status == Status::kRejected;
                                 }));
}

nlohmann::json to_json(const Counters& counters) {
  nlohmann::json json = {{"records", counters.records},
                         {"ok", counters.ok},
                         {"rejected", counters.rejected},
                         {"duplicates", counters.duplicates},
                         {"repeated_ids", counters.repeated_ids},
                         {"repeated_ids_at_least", !counters.repeated_ids_exact},
                         {"truncated", counters.truncated},
                         {"substituted_records", counters.substituted_records},
                         {"substituted_characters", counters.substituted_characters},
                         {"gapped_records", counters.gapped_records},
                         {"gaps_removed", counters.gaps_removed},
                         {"windowed", counters.windowed},
                         {"windows", counters.windows},
                         {"stops_dropped", counters.stops_dropped},
                         {"looks_like_nucleotides", counters.looks_like_nucleotides},
                         {"residues", counters.residues},
                         {"reshaped", counters.reshaped},
                         {"computed_alone", counters.computed_alone},
                         {"stayed_not_finite", counters.stayed_not_finite},
                         {"rejected_by_reason", counters.rejected_by_reason},
                         {"left_out", counters.left_out.counts()}};
  if (counters.reuse.any()) {
    json["reuse"] = to_json(counters.reuse);
  }
  return json;
}

Counters counters_from_json(const nlohmann::json& json) {
  Counters counters;
  counters.records = json.at("records");
  counters.ok = json.at("ok");
  counters.rejected = json.at("rejected");
  counters.duplicates = json.at("duplicates");
  counters.repeated_ids = json.value("repeated_ids", std::uint64_t{0});
  counters.repeated_ids_exact = !json.value("repeated_ids_at_least", false);
  counters.truncated = json.at("truncated");
  counters.substituted_records = json.at("substituted_records");
  counters.substituted_characters = json.at("substituted_characters");
  counters.gapped_records = json.value("gapped_records", std::uint64_t{0});
  counters.gaps_removed = json.value("gaps_removed", std::uint64_t{0});
  counters.windowed = json.value("windowed", std::uint64_t{0});
  counters.windows = json.value("windows", std::uint64_t{0});
  counters.stops_dropped = json.at("stops_dropped");
  counters.looks_like_nucleotides = json.value("looks_like_nucleotides", std::uint64_t{0});
  counters.residues = json.at("residues");
  counters.reshaped = json.value("reshaped", std::uint64_t{0});
  counters.computed_alone = json.value("computed_alone", std::uint64_t{0});
  counters.stayed_not_finite = json.value("stayed_not_finite", std::uint64_t{0});
  counters.rejected_by_reason =
      json.at("rejected_by_reason").get<std::map<std::string, std::uint64_t>>();
  if (const auto reuse = json.find("reuse"); reuse != json.end()) {
    counters.reuse = reuse_from_json(*reuse);
  }
  counters.left_out = LeftOut(json.value("left_out", std::map<std::string, std::uint64_t>()));
  return counters;
}

}  // namespace longhaul
