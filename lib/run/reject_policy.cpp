#include "run/reject_policy.hpp"

#include <array>
#include <cstdio>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::run {
namespace {

constexpr std::uint64_t kRecordsBeforeShareCounts = 1000;

std::string place(const Record& record) {
  const std::string number = std::to_string(record.position);
  std::string text = "record " + number +
                     (record.id == number ? "" : " (" + printable(record.id) + ")") + ", " +
                     printable(record.source, 200);
  if (record.line > 0) {
    text += " line " + std::to_string(record.line);
  }
  return text;
}

// "1 %", "0.25 %": as it was given.
std::string percent_text(double percent) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g %%", percent);
  return text.data();
}

}  // namespace

std::optional<std::string> exceeded_limit(const RejectLimits& limits, std::uint64_t records,
                                          std::uint64_t rejected) {
  if (limits.count && rejected > *limits.count) {
    return format_count(*limits.count);
  }
  const double share = 100.0 * static_cast<double>(rejected) / static_cast<double>(records);
  return limits.percent && share > *limits.percent ? std::optional(percent_text(*limits.percent))
                                                   : std::nullopt;
}

void RejectPolicy::accepted() {
  const std::lock_guard lock(mutex_);
  ++records_;
}

void RejectPolicy::accepted_as_nucleotides(const Record& record) {
  const std::lock_guard lock(mutex_);
  ++records_;
  if (!std::exchange(nucleotides_told_, true)) {
    log_.warning(place(record) +
                 ": looks like DNA or RNA (of A, C, G, T, U and N alone), yet is embedded as a "
                 "protein; translate it and embed into another --output or with --overwrite, or, "
                 "if it is one, pass --allow-nucleotides (said once; run.json counts them as "
                 "looks_like_nucleotides)");
  }
}

void RejectPolicy::rejected(const Record& record, const Defect& defect) {
  const std::lock_guard lock(mutex_);
  ++records_;
  count(record, defect);
}

void RejectPolicy::rejected_late(const Record& record, const Defect& defect) {
  const std::lock_guard lock(mutex_);
  count(record, defect);
}

void RejectPolicy::start() const {
  const std::lock_guard lock(mutex_);
  check({records_, rejected_}, false, "");
}

void RejectPolicy::finish(std::uint64_t records, std::uint64_t rejected) const {
  check({records, rejected}, true, "");
}

std::uint64_t RejectPolicy::rejected_count() const {
  const std::lock_guard lock(mutex_);
  return rejected_;
}

void RejectPolicy::count(const Record& record, const Defect& defect) {
  ++rejected_;
  const std::string text =
      std::string(to_string(defect.reason)) + ": " + place(record) + ": " + defect.message;
  const std::string remedy = what_to_do(defect);
  if (told_.insert({defect.reason, remedy}).second) {
    log_.warning("rejected as " + text + "; " + remedy +
                 " (said once; rejects.csv lists them all)");
  }
  check({records_, rejected_}, false, text);
}

void RejectPolicy::check(const Count& count, bool at_end, const std::string& latest) const {
  RejectLimits limits = limits_;
  if (!at_end && count.records < kRecordsBeforeShareCounts) {
    limits.percent.reset();
  }
  const std::optional<std::string> limit = exceeded_limit(limits, count.records, count.rejected);
  if (!limit) {
    return;
  }
  throw Error(
      ExitCode::kBadData,
      format_count(count.rejected) + " of " + format_count(count.records) +
          " records rejected, more than the limit of " + *limit +
          (latest.empty() ? "" : "; the last as " + latest),
      "raise --max-rejects, or correct the input and embed it into another --output or with "
      "--overwrite");
}

}  // namespace longhaul::run
