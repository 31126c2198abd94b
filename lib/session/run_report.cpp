#include "session/run_report.hpp"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "domain/counters.hpp"
#include "session/mode.hpp"

namespace longhaul::session {
namespace {

double ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

std::string rate_text(double rate) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), rate < 100 ? "%.1f" : "%.0f", rate);
  return text.data();
}

}  // namespace

ExitCode completed_code(const Counters& counters, bool reject_limit_given) {
  if (counters.rejected == 0) {
    return ExitCode::kDone;
  }
  if (counters.rejected == counters.records) {
    return counters.rejected_by_reason.contains(std::string(to_string(Reason::kOutOfMemory)))
               ? ExitCode::kMemory
               : ExitCode::kBadData;
  }
  return reject_limit_given ? ExitCode::kDone : ExitCode::kRejected;
}

std::optional<std::string> completed_error(ExitCode code, const Counters& counters,
                                           const std::string& output) {
  const std::string more = "; see " + output + "/rejects.csv";
  if (code == ExitCode::kMemory) {
    return "out of memory: not one record fits; where there is more, give the same command with "
           "--retry-rejects" +
           more;
  }
  if (code != ExitCode::kBadData) {
    return std::nullopt;
  }
  return (counters.rejected == counters.records ? "every record was rejected"
                                                : "more records are rejected than allowed") +
         more;
}

ExitCode tell_finished(const std::string& name, const store::StoreState& state,
                       const std::string& output, Log& log) {
  log.info(printable(name, 400) + " is complete: nothing to do");
  const ExitCode code = finished_code(state);
  const Counters counters =
      state.progress ? counters_from_json(state.progress->counters) : Counters{};
  if (const auto why = completed_error(code, counters, printable(output, 400))) {
    log.error(*why);
  }
  return code;
}

nlohmann::json describe_timings(const run::RunReport& report) {
  return {
      {"seconds", report.seconds_total},
      {"seconds_encoding", report.seconds_encoding},
      {"seconds_waiting_for_input", report.seconds_waiting_for_input},
      {"seconds_waiting_for_output", report.seconds_waiting_for_output},
      {"seconds_clearing_caches", report.seconds_clearing},
      {"seconds_committing", report.seconds_committing},
      {"records", report.records},
      {"records_per_second", ratio(static_cast<double>(report.records), report.seconds_total)},
      {"batches", report.batches},
      {"tokens", report.tokens_real},
      {"tokens_computed", report.tokens_computed},
      {"padding_efficiency",
       ratio(static_cast<double>(report.tokens_real), static_cast<double>(report.tokens_computed))},
      {"idle_share", ratio(report.seconds_waiting_for_input + report.seconds_waiting_for_output,
                           report.seconds_total)},
      {"cache_clears", report.cache_clears},
      {"commits", report.commits},
      {"out_of_memory", report.out_of_memory},
      {"not_finite", report.not_finite},
  };
}

std::string closing_line(const run::RunReport& report) {
  std::string line = report.end == run::RunEnd::kComplete
                         ? "embedded " + format_count(report.counters.ok) + " of " +
                               format_count(report.counters.records) + " records"
                         : "embedded " + format_count(report.embedded) + " records so far";
  if (report.records > 0) {
    line += "; this session " + format_count(report.records) + " in " +
            format_duration(std::chrono::duration<double>(report.seconds_total)) + " (" +
            rate_text(ratio(static_cast<double>(report.records), report.seconds_total)) + "/s)";
  }
  if (const ReuseCounts& reuse = report.counters.reuse; reuse.any()) {
    line += "; " + format_count(reuse.reused()) + " reused, " + format_count(reuse.added) +
            " new, " + format_count(reuse.changed) + " changed" +
            (report.end == run::RunEnd::kComplete ? ", " + format_count(reuse.removed) + " removed"
                                                  : "");
  }
  if (report.counters.duplicates > 0) {
    line += "; " + format_count(report.counters.duplicates) + " duplicates";
  }
  if (report.counters.repeated_ids > 0) {
    line += std::string("; ") + (report.counters.repeated_ids_exact ? "" : "at least ") +
            format_count(report.counters.repeated_ids) + " repeat an earlier id";
  }
  if (report.counters.looks_like_nucleotides > 0) {
    line += "; " + format_count(report.counters.looks_like_nucleotides) + " look like nucleotides";
  }
  if (report.counters.rejected > 0) {
    std::vector<std::string> reasons;
    for (const auto& [reason, count] : report.counters.rejected_by_reason) {
      reasons.push_back(format_count(count) + " " + reason);
    }
    line += "; " + format_count(report.counters.rejected) + " rejected (" + join(reasons, ", ") +
            "), see rejects.csv";
  }
  return line;
}

nlohmann::json take_left_out(nlohmann::json& counts) {
  nlohmann::json left_out = counts.value("left_out", nlohmann::json::object());
  counts.erase("left_out");
  return left_out;
}

std::optional<std::string> left_out_warning(const LeftOut& left_out, const std::string& output) {
  if (left_out.empty()) {
    return std::nullopt;
  }
  return "left out: " + to_string(left_out) + "; counted as left_out in " + output + "/" +
         store::store_files::kReport;
}

}  // namespace longhaul::session
