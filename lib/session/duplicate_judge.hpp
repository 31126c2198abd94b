// Which records of a merged output repeat earlier ones, as a single run with --skip-duplicates
// would have found: shards compare nothing, so this looks at the lines of records.csv in order.
// A record without a vector is rejected for itself, and nothing repeats it. Memory grows with the
// records that are remembered (prepare/duplicate_filter.hpp); off, it costs nothing. One thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "domain/numbers.hpp"
#include "domain/record_row.hpp"
#include "prepare/duplicate_filter.hpp"
#include "store/merged_output.hpp"

namespace longhaul::session {

class DuplicateJudge {
 public:
  // Throws Error(kBadData) where likenesses are compared and `kept_columns` has none.
  DuplicateJudge(SkipDuplicates kind, const std::vector<std::string>& kept_columns);

  // Rows in order. A duplicate is marked as one.
  store::MergedOutput::Vector judge(RecordRow& row);

 private:
  std::optional<std::uint64_t> first_of(const RecordRow& row);

  SkipDuplicates kind_;
  std::size_t likeness_ = 0;  // its column among the kept ones
  std::optional<prepare::DuplicateFilter> filter_;
};

}  // namespace longhaul::session
