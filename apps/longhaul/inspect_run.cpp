#include "inspect_run.hpp"

#include <array>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "domain/left_out.hpp"
#include "session/decode_drift.hpp"
#include "session/output_state.hpp"
#include "store/next_output.hpp"
#include "store/store_directory.hpp"
#include "terminal_text.hpp"

namespace longhaul::app {
namespace {

using nlohmann::json;

// "exact, tried in 8 x 128 and 128 x 8": what check_contract() found.
std::string contract_text(const json& contract) {
  std::vector<std::string> shapes;
  for (const json& shape : contract.at("shapes")) {
    shapes.push_back(in_words(shape.at("rows")) + " x " + in_words(shape.at("width")));
  }
  return in_words(contract.at("verdict")) +
         (shapes.empty() ? "" : ", tried in " + join(shapes, " and "));
}

// `over`: the run is complete, or another session came after this one.
std::string session_text(const json& session, bool over) {
  const auto at = [&](const char* pointer) {
    return session.value(json::json_pointer(pointer), json(nullptr));
  };
  const bool killed = over && at("/state") == "running";
  std::string text = killed ? in_words(at("/start")) + ", killed"
                            : in_words(at("/start")) + " to " + in_words(at("/stop")) + ", " +
                                  in_words(at("/state"));
  if (const json rate = at("/timings/records_per_second"); rate.is_number()) {
    std::array<char, 32> digits{};
    std::snprintf(digits.data(), digits.size(), "%.1f", rate.get<double>());
    text += std::string(", ") + digits.data() + " records/s";
  }
  if (at("/memory/verdict").is_string()) {
    text += ", memory " + in_words(at("/memory/verdict"));
  }
  return text;
}

std::string state_text(const session::OutputState& output) {
  if (output.state == "complete") {
    const json report = output.report;
    return "complete, exit code " + in_words(output.code) + ", bits " +
           in_words(report.value("bits", json(nullptr)));
  }
  if (output.state == "running") {
    return "running: " + output.holder;
  }
  if (output.state == "stopped") {
    return "stopped before it could say why (killed, a power cut, a second Ctrl-C); the "
           "command that began it continues";
  }
  return output.state + ", exit code " + in_words(output.code) +
         "; the command that began it continues";
}

using Lines = std::vector<std::pair<std::string, std::string>>;

// The counts of run.json for people: what is zero is left out.
Lines counts_in_words(const json& counts) {
  const auto count = [&](const char* name) { return counts.value(name, std::uint64_t{0}); };
  std::string records =
      format_count(count("records")) + ": " + format_count(count("ok")) + " with a vector";
  if (count("rejected") > 0) {
    const json by_reason = counts.value("rejected_by_reason", json::object());
    std::vector<std::string> reasons;
    for (const auto& [reason, n] : by_reason.items()) {
      reasons.push_back(format_count(n.get<std::uint64_t>()) + " " + reason);
    }
    records += ", " + format_count(count("rejected")) + " rejected" +
               (reasons.empty() ? "" : " (" + join(reasons, ", ") + ")");
  }
  if (count("duplicates") > 0) {
    records += ", " + format_count(count("duplicates")) + " duplicates";
  }
  Lines lines{{"records", records}};
  const auto records_of = [&](const char* counter) {
    return format_count(count(counter)) + (count(counter) == 1 ? " record" : " records");
  };
  const auto add = [&](const char* name, const char* counter, const std::string& what) {
    if (count(counter) > 0) {
      lines.emplace_back(name, format_count(count(counter)) + what);
    }
  };
  if (count("repeated_ids") > 0) {
    lines.emplace_back("repeated ids",
                       (counts.value("repeated_ids_at_least", false) ? "at least " : "") +
                           format_count(count("repeated_ids")) +
                           " records have the id of an earlier one");
  }
  // A window in hand is not in these sums yet.
  const std::uint64_t summed = counts.value("summed_records", count("records"));
  const std::string of =
      summed == count("records") ? "" : ", of the first " + format_count(summed) + " records";
  add("residues", "residues", of);
  add("truncated", "truncated", (count("truncated") == 1 ? " record" : " records") + of);
  add("substituted", "substituted_characters",
      " characters read as another or the unknown token, in " + records_of("substituted_records") +
          of);
  add("gaps", "gaps_removed", " removed, from " + records_of("gapped_records") + of);
  add("windows", "windows",
      " for " + records_of("windowed") + " longer than what is computed at once" + of);
  add("stops", "stops_dropped", " final '*' left out" + of);
  add("nucleotides", "looks_like_nucleotides", " of bases alone, like DNA or RNA" + of);
  add("reshaped", "reshaped", " rows computed in pieces, for want of memory");
  add("alone", "computed_alone", " rows computed by themselves, not finite among others");
  add("not finite", "stayed_not_finite", " whatever was tried");
  return lines;
}

// "tokens.npy 45,120 x 512 fp16, of 300 rows by token_offsets.npy"
std::string array_text(const json& array) {
  const bool tokens = array.contains("offsets");
  return array.at("file").get<std::string>() + " " +
         format_count(array.at(tokens ? "vectors" : "rows").get<std::uint64_t>()) + " x " +
         in_words(array.at("dimension")) + " " + in_words(array.at("dtype")) +
         (tokens ? ", of " + format_count(array.at("rows").get<std::uint64_t>()) + " rows by " +
                       in_words(array.at("offsets"))
                 : "");
}

void print_run(const std::string& path, const session::OutputState& output, bool update_begun,
               std::size_t columns) {
  const auto print_row = [columns](const std::string& name, const std::string& value) {
    std::cout << named_line(name, value, columns);
  };
  const json run = output.report;
  const auto at = [&](const char* pointer) {
    return run.value(json::json_pointer(pointer), json(nullptr));
  };
  print_row("output", path);
  print_row("state", state_text(output));
  if (update_begun) {
    print_row("update", "begun beside it and not complete; the command with --update goes on");
  }
  for (const auto& [name, value] : counts_in_words(output.counts)) {
    print_row(name, value);
  }
  for (const json array : output.arrays) {
    print_row("array", array_text(array));
  }
  if (!output.left_out.empty()) {
    print_row("left out",
              to_string(LeftOut(output.left_out.get<std::map<std::string, std::uint64_t>>())));
  }
  if (run.empty()) {
    print_row("run.json", "not there, or damaged");
    return;
  }
  print_row("model", in_words(at("/card/name")) + ", " + in_words(at("/model/path")));
  print_row("sha256", in_words(at("/model/sha256")));
  print_row("inputs", in_words(at("/input_paths")));
  if (const json contract = at("/contract"); contract.is_object()) {
    print_row("contract", contract_text(contract));
  }
  if (const json reasons = at("/bits_reasons"); reasons.is_array() && !reasons.empty()) {
    print_row("numeric for", in_words(reasons));
  }
  if (const json drift = at("/sessions/0/encoder/drift"); drift.is_object()) {
    print_row("drift", "least cosine " + in_words(drift.at("least_cosine")) +
                           ", greatest difference " + in_words(drift.at("greatest_difference")) +
                           " from float32");
  }
  if (const json drift = at("/fast_decode"); drift.is_object()) {
    print_row("fast decode", session::drift_text(drift));
  }
  print_row("choices", in_words(at("/choices")));
  const json sessions = at("/sessions");
  for (std::size_t i = 0; sessions.is_array() && i < sessions.size(); ++i) {
    print_row("session " + std::to_string(i + 1),
              session_text(sessions[i], i + 1 < sessions.size() || output.state == "complete"));
  }
}

}  // namespace

ExitCode inspect_run(const std::string& path, bool as_json, std::size_t columns) {
  const std::unique_ptr<Files> files = posix_files();
  const session::OutputState output = session::read_output_state(*files, path);
  if (as_json) {
    nlohmann::ordered_json run = to_json(output);
    run["arrays"] = output.arrays;
    std::cout << run.dump() << '\n';
  } else {
    const bool update_begun =
        files->exists(store::path_in(store::next_directory(path), store::store_files::kJournal));
    print_run(path, output, update_begun, columns);
  }
  return ExitCode::kDone;
}

}  // namespace longhaul::app
