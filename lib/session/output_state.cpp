#include "session/output_state.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "session/run_report.hpp"
#include "store/output_reader.hpp"

namespace longhaul::session {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// A directory of other things is no output.
store::OutputReader open_output(Files& files, const std::string& directory) {
  try {
    return store::OutputReader(files, directory);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kMismatch) {
      throw;
    }
    store::require_known_journal(files, directory);
    throw Error(ExitCode::kBadData,
                printable(directory, 400) + " is no output of longhaul: " + error.what(),
                "give a model file, or an output directory of longhaul embed");
  }
}

Counters committed_counters(const store::Progress& progress) {
  Counters counters = counters_from_json(progress.counters);
  counters.records += progress.position;
  std::uint64_t without_vector = 0;
  for (const LateOutcome& outcome : progress.late) {
    if (outcome.status == Status::kRejected) {
      ++counters.rejected;
      ++counters.rejected_by_reason[std::string(
          to_string(outcome.defect ? outcome.defect->reason : Reason::kUnreadable))];
      ++without_vector;
    } else if (outcome.status == Status::kDuplicate) {
      ++counters.duplicates;
      ++without_vector;
    }
  }
  counters.ok += progress.position - std::min(progress.position, without_vector);
  return counters;
}

ordered_json arrays_of(const store::OutputReader& reader) {
  ordered_json arrays = ordered_json::array();
  const std::vector<OutputSpec>& outputs = reader.layout().outputs;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const OutputSpec& output = outputs[i];
    const std::string path = reader.array_path(output);
    ordered_json array = {{"file", path.substr(path.rfind('/') + 1)},
                          {"kind", to_string(output.kind)},
                          {"rows", reader.rows()},
                          {"dimension", output.dimension},
                          {"dtype", to_string(output.dtype)}};
    if (output.kind == ArrayKind::kTokens) {
      array["vectors"] = reader.claims()->claims.array(i).vectors;
      array["offsets"] = store::offsets_file(output);
    }
    arrays.push_back(std::move(array));
  }
  return arrays;
}

}  // namespace

json committed_counts(const store::Progress& progress) {
  json counts = to_json(committed_counters(progress));
  if (progress.position > 0) {
    counts["summed_records"] = progress.window_start;
  }
  return counts;
}

json committed_counts(Files& files, const std::string& directory) {
  try {
    const store::OutputReader output(files, directory);
    if (output.claims() && output.claims()->run.progress) {
      return committed_counts(*output.claims()->run.progress);
    }
  } catch (const Error&) {
    // Whoever reads the output says what is wrong with it.
  }
  return to_json(Counters());
}

OutputState read_output_state(Files& files, const std::string& directory) {
  const store::OutputReader reader = open_output(files, directory);
  OutputState output;
  output.holder = reader.writer();
  if (!reader.claims()) {
    throw Error(output.holder.empty() ? ExitCode::kBadData : ExitCode::kUnavailable,
                printable(directory, 400) + (output.holder.empty()
                                                 ? " holds no run: nothing was begun in it"
                                                 : " is being begun by " + output.holder),
                output.holder.empty()
                    ? "give a model file, or an output directory of longhaul embed"
                    : "look again in a moment");
  }
  const store::StoreState& store = reader.claims()->run;
  output.report = reader.run();
  output.arrays = arrays_of(reader);
  output.counts = store.progress ? committed_counts(*store.progress) : to_json(Counters());
  output.left_out = take_left_out(output.counts);
  if (store.finish) {
    output.state = "complete";
    output.code = store.finish->at("code");
    if (const json report = output.report; report.value("counts", json()).is_object()) {
      output.counts = report.at("counts");  // what came after the last record too
      output.left_out = report.value("left_out", json::object());
    }
  } else if (!output.holder.empty()) {
    output.state = "running";
  } else {
    const json report = output.report;
    const json state = report.value("state", json(nullptr));
    const bool told =
        state.is_string() && state != "running" && state != "recycled" && state != "complete";
    output.state = told ? state.get<std::string>() : "stopped";
    output.code = told ? report.value("code", json(nullptr)) : json(nullptr);
  }
  return output;
}

ordered_json to_json(const OutputState& output) {
  ordered_json run = output.report;
  run["state"] = output.state;
  run["code"] = output.code;
  run["counts"] = output.counts;
  run["left_out"] = output.left_out;
  return run;
}

}  // namespace longhaul::session
