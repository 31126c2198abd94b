#include "report/record_facts.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.hpp"
#include "store/checked_rows.hpp"

namespace longhaul::report {

void stop_if_asked(const Stop& stop) {
  if (stop && stop()) {
    throw Error(ExitCode::kInterrupted, "stopped before the report was written",
                "give the same command again");
  }
}

RecordFacts read_record_facts(const store::OutputReader& output, std::size_t most_pairs,
                              const Stop& stop) {
  RecordFacts facts;
  store::RecordCursor records = output.records();
  std::optional<store::ArrayReader> vectors;  // opened when there is a duplicate
  for (RecordRow record; records.next(record);) {
    stop_if_asked(stop);
    ++facts.records;
    if (record.status == Status::kRejected) {
      ++facts.rejected;
      continue;
    }
    if (record.length > 0) {
      ++facts.lengths[record.length];
    }
    if (record.status == Status::kOk) {
      ++facts.ok;
      continue;
    }
    ++facts.duplicates;
    if (!vectors) {
      vectors = output.array(output.layout().outputs.front());
    }
    facts.duplicates_with_vector += store::holds_vector(vectors->row(record.row)) ? 1U : 0U;
    if (record.duplicate_of && facts.pairs.size() < most_pairs) {
      facts.pairs.push_back({{record.position, record.id, record.source}, *record.duplicate_of});
    }
  }
  return facts;
}

std::map<std::uint64_t, NamedRecord> find_records(const store::OutputReader& output,
                                                  const std::set<std::uint64_t>& rows,
                                                  const Stop& stop) {
  std::map<std::uint64_t, NamedRecord> found;
  store::RecordCursor records = output.records();
  for (RecordRow record; found.size() < rows.size() && records.next(record);) {
    stop_if_asked(stop);
    if (rows.contains(record.position)) {
      found[record.position] = {record.position, record.id, record.source};
    }
  }
  return found;
}

nlohmann::ordered_json length_histogram(const std::map<std::uint32_t, std::uint64_t>& lengths,
                                        std::uint32_t most_bins) {
  if (lengths.empty()) {
    return nullptr;
  }
  const std::uint32_t least = lengths.begin()->first;
  const std::uint32_t greatest = lengths.rbegin()->first;
  const std::uint32_t width = (greatest - least) / most_bins + 1;
  std::vector<std::uint64_t> counts((greatest - least) / width + 1);
  std::uint64_t all = 0;
  for (const auto& [length, count] : lengths) {
    counts[(length - least) / width] += count;
    all += count;
  }
  std::uint32_t median = greatest;  // the lower one of an even number
  std::uint64_t before = 0;
  for (const auto& [length, count] : lengths) {
    before += count;
    if (2 * before >= all) {
      median = length;
      break;
    }
  }
  std::vector<std::uint32_t> from;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    from.push_back(least + static_cast<std::uint32_t>(i) * width);
  }
  return {{"width", width}, {"from", from},         {"counts", counts},
          {"least", least}, {"greatest", greatest}, {"median", median}};
}

}  // namespace longhaul::report
