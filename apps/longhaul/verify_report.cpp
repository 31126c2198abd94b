#include "verify_report.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <span>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::app {
namespace {

using nlohmann::json;

constexpr std::size_t kMostFindings = 20;  // that people are shown

std::string why_not_exact(const VerifyReport& report) {
  return report.claims_bits ? "this is another machine, binary or setting of libraries"
                            : "the output is marked as numeric";
}

std::string remedy(const VerifyReport& report) {
  if (!report.intact) {
    return "restore the files from a copy, or embed again with --overwrite";
  }
  if (report.model == AtHand::kDiffers) {
    return "the output is as it was written: restore the model that made it";
  }
  return "the output is as it was written: " +
         std::string(report.from_stream ? "give the input again on standard input"
                                        : "restore the input that it was made of");
}

}  // namespace

std::string_view to_string(AtHand found) {
  switch (found) {
    case AtHand::kMatches:
      return "matches";
    case AtHand::kAbsent:
      return "not at hand";
    case AtHand::kDiffers:
      return "differs";
    case AtHand::kNotAsked:
      break;
  }
  return "not checked";
}

void print_json(const VerifyReport& report, std::ostream& out) {
  const store::Verification& store = report.store;
  json findings = json::array();
  for (const store::Finding& finding : store.findings) {
    findings.push_back({{"where", printable(finding.where, 4096)}, {"what", finding.what}});
  }
  json object = {{"output", printable(report.output, 4096)},
                 {"good", store.good()},
                 {"finished", store.finished},
                 {"committed", store.committed},
                 {"rows", store.rows},
                 {"ok", store.ok},
                 {"rejected", store.rejected},
                 {"duplicates", store.duplicates},
                 {"model", to_string(report.model)},
                 {"input", to_string(report.input)},
                 {"findings", std::move(findings)},
                 {"finding_count", store.finding_count}};
  if (report.recompute) {
    object["recomputed"] = {{"rows", store.recomputed},
                            {"equal", store.recomputed_equal},
                            {"greatest_difference", store.greatest_difference},
                            {"asked", report.exact ? "same bits" : "within tolerance"},
                            {"tolerance", store.tolerance}};
  }
  out << object.dump() << '\n';
}

void print_text(const VerifyReport& report, std::ostream& out) {
  const store::Verification& store = report.store;
  // The only one is what the last line on standard error says.
  const std::size_t shown =
      store.finding_count > 1 ? std::min(store.findings.size(), kMostFindings) : 0;
  for (const store::Finding& finding : std::span(store.findings).first(shown)) {
    out << printable(finding.where, 4096) << ": " << finding.what << '\n';
  }
  if (shown > 0 && store.finding_count > shown) {
    out << "... and " << format_count(store.finding_count - shown) << " more"
        << (store.findings.size() > shown
                ? ", of which --json has the first " + format_count(store.findings.size())
                : std::string())
        << '\n';
  }
  out << report.output << ": ";
  if (!store.finished) {
    out << "not finished, " << format_count(store.committed)
        << " records committed; checked in complete windows: ";
  }
  out << format_count(store.rows) << " rows, " << format_count(store.ok) << " ok, "
      << format_count(store.rejected) << " rejected, " << format_count(store.duplicates)
      << " duplicates; model " << to_string(report.model) << ", input " << to_string(report.input)
      << '\n';
  if (report.recompute && (report.input == AtHand::kDiffers || report.model == AtHand::kDiffers)) {
    out << "no row was recomputed: that takes the model and the input of the run\n";
  } else if (report.recompute) {
    out << "recomputed " << format_count(store.recomputed)
        << " rows: " << format_count(store.recomputed_equal)
        << " the same bits, greatest difference " << short_number(store.greatest_difference)
        << "; asked for: "
        << (report.exact
                ? std::string("the same bits, on the machine that made them")
                : "within " + short_number(store.tolerance) + ", since " + why_not_exact(report))
        << '\n';
  }
}

void require_good(const VerifyReport& report) {
  const store::Verification& store = report.store;
  if (store.good()) {
    return;
  }
  const store::Finding& first = store.findings.front();
  throw Error(ExitCode::kBadData,
              report.output + " does not verify: " + format_count(store.finding_count) +
                  (store.finding_count == 1 ? " problem: " : " problems, the first: ") +
                  printable(first.where, 400) + ": " + first.what,
              store.finished ? remedy(report) : "");
}

}  // namespace longhaul::app
