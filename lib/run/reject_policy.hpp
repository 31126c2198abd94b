// When rejected records stop a run, and what is said of them on the way.
// Any thread; the log's lines are for people.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/log.hpp"
#include "domain/outcome.hpp"
#include "domain/record.hpp"

namespace longhaul::run {

struct RejectLimits {
  std::optional<std::uint64_t> count;
  std::optional<double> percent;  // judged from 1,000 records on, and at the end
};

// Of a whole run: the limit that so many rejects are over, as it was given; nothing where they are
// allowed.
std::optional<std::string> exceeded_limit(const RejectLimits& limits, std::uint64_t records,
                                          std::uint64_t rejected);

class RejectPolicy {
 public:
  // `records` and `rejected`: of earlier sessions, in complete windows; but `rejected` also has the
  // late ones of the window in hand.
  RejectPolicy(const RejectLimits& limits, std::uint64_t records, std::uint64_t rejected, Log& log)
      : limits_(limits), records_(records), rejected_(rejected), log_(log) {}

  void accepted();
  // One that is embedded as a protein and is very likely none.
  void accepted_as_nucleotides(const Record& record);
  // A record seen for the first time and rejected. Throws Error(kBadData) above the limit.
  void rejected(const Record& record, const Defect& defect);
  // A record counted as accepted before turned out to have no vector. Throws likewise.
  void rejected_late(const Record& record, const Defect& defect);
  // Judges what earlier sessions rejected. Throws likewise.
  void start() const;
  // Judges a run that is complete, its share too, however few the records. Throws likewise.
  void finish(std::uint64_t records, std::uint64_t rejected) const;
  std::uint64_t rejected_count() const;

 private:
  void count(const Record& record, const Defect& defect);
  struct Count {
    std::uint64_t records = 0;
    std::uint64_t rejected = 0;
  };
  void check(const Count& count, bool at_end, const std::string& latest) const;

  mutable std::mutex mutex_;
  const RejectLimits limits_;
  std::uint64_t records_;
  std::uint64_t rejected_;
  std::set<std::pair<Reason, std::string>> told_;  // with what to do about it
  bool nucleotides_told_ = false;
  Log& log_;
};

}  // namespace longhaul::run
