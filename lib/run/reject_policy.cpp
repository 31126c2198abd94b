#include "run/reject_policy.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::run {
namespace {

constexpr std::uint64_t kRecordsBeforeShareCounts = 1000;

std::string place(const Record& record) {
  std::string text = "record " + std::to_string(record.position) + " (" + printable(record.id) +
                     "), " + printable(record.source, 200);
  if (record.line > 0) {
    text += " line " + std::to_string(record.line);
  }
  return text;
}

}  // namespace

void RejectPolicy::accepted() {
  const std::lock_guard lock(mutex_);
  ++records_;
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
  const std::string what_to_do(remedy(defect));
  if (told_.insert({defect.reason, what_to_do}).second) {
    log_.warning("rejected as " + text + "; " + what_to_do +
                 " (further ones are counted and listed in rejects.csv)");
  }
  check({records_, rejected_}, false, text);
}

void RejectPolicy::check(const Count& count, bool at_end, const std::string& latest) const {
  const double share =
      100.0 * static_cast<double>(count.rejected) / static_cast<double>(count.records);
  std::string limit;
  if (limits_.count && count.rejected > *limits_.count) {
    limit = format_count(*limits_.count);
  } else if (limits_.percent && (at_end || count.records >= kRecordsBeforeShareCounts) &&
             share > *limits_.percent) {
    limit = std::to_string(*limits_.percent) + " %";
  } else {
    return;
  }
  throw Error(ExitCode::kBadData,
              format_count(count.rejected) + " of " + format_count(count.records) +
                  " records rejected, more than the limit of " + limit +
                  (latest.empty() ? "" : "; the last as " + latest),
              "correct the input, or raise --max-rejects");
}

}  // namespace longhaul::run
