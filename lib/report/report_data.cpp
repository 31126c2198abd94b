#include "report/report_data.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "report/memory_series.hpp"
#include "report/record_facts.hpp"
#include "report/reject_facts.hpp"

namespace longhaul::report {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kMostPairs = 6;
constexpr std::size_t kMostExamples = 5;
constexpr std::size_t kMostRejectedPictures = 8;
constexpr std::uint32_t kMostBins = 40;
constexpr std::size_t kMostSamples = 400;

// What the page needs of run.json: not the model's golden vectors, which are long.
ordered_json without_golden(ordered_json run) {
  if (run.contains("card") && run["card"].is_object()) {
    run["card"].erase("golden");
  }
  return run;
}

ordered_json rejects_of(const std::vector<RejectedFor>& reasons, const Pictures* pictures) {
  ordered_json told = ordered_json::array();
  std::size_t shown = 0;
  for (const RejectedFor& rejected : reasons) {
    ordered_json examples = ordered_json::array();
    for (const RecordRow& record : rejected.examples) {
      ordered_json example = {{"row", record.position},
                              {"id", record.id},
                              {"source", record.source},
                              {"line", record.line},
                              {"message", record.defect->message}};
      if (pictures != nullptr && shown < kMostRejectedPictures) {
        example["thumbnail"] = pictures->of({record.position, record.id, record.source});
        ++shown;
      }
      examples.push_back(std::move(example));
    }
    told.push_back(
        {{"reason", rejected.reason}, {"count", rejected.count}, {"examples", examples}});
  }
  return told;
}

ordered_json pairs_of(const store::OutputReader& output, const RecordFacts& facts,
                      const Pictures* pictures, const Stop& stop) {
  std::set<std::uint64_t> wanted;
  for (const RecordFacts::Pair& pair : facts.pairs) {
    wanted.insert(pair.of);
  }
  const std::map<std::uint64_t, NamedRecord> firsts = find_records(output, wanted, stop);
  const auto told = [&](const NamedRecord& record) {
    return pictures != nullptr ? pictures->of(record)
                               : ordered_json{{"row", record.row}, {"id", record.id}};
  };
  ordered_json pairs = ordered_json::array();
  for (const RecordFacts::Pair& pair : facts.pairs) {
    const auto first = firsts.find(pair.of);
    const NamedRecord of =
        first != firsts.end() ? first->second : NamedRecord{pair.of, "(not in records.csv)", ""};
    pairs.push_back({{"first", told(of)}, {"duplicate", told(pair.duplicate)}});
  }
  return pairs;
}

}  // namespace

ordered_json report_data(const store::OutputReader& output, const ordered_json& run,
                         const ReportRequest& request, const ReportContext& context) {
  const RecordFacts facts = read_record_facts(output, kMostPairs, context.stop);
  const std::optional<ColourColumn> colour =
      colour_column(output, request.map.colour, !facts.lengths.empty());
  const bool images =
      run.value(ordered_json::json_pointer("/card/modality"), std::string()) == "image";
  const Pictures pictures(context.files, context.thumbnail,
                          run.value("working_directory", std::string(".")));
  const Pictures* shown = images ? &pictures : nullptr;
  ordered_json data = {{"output", output.path()},
                       {"made", request.made},
                       {"version", request.version},
                       {"images", images},
                       {"run", without_golden(run)},
                       {"records",
                        {{"records", facts.records},
                         {"ok", facts.ok},
                         {"with_vector", facts.ok + facts.duplicates_with_vector},
                         {"rejected", facts.rejected},
                         {"duplicates", facts.duplicates}}}};
  data["memory"] = to_json(read_memory_series(
      context.files, output.path_of(store::store_files::kMemory), kMostSamples, context.stop));
  data["lengths"] = length_histogram(facts.lengths, kMostBins);
  data["rejects"] = rejects_of(read_reject_facts(output, kMostExamples, context.stop), shown);
  data["pairs"] = pairs_of(output, facts, shown, context.stop);
  data["map"] =
      vector_map(output, facts.ok, request.map, colour, context.stop, [&](std::uint64_t done) {
        if (context.progress) {
          context.progress(done, facts.ok);
        }
      });
  return data;
}

}  // namespace longhaul::report
