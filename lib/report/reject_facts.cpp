#include "report/reject_facts.hpp"

#include <algorithm>

namespace longhaul::report {

std::vector<RejectedFor> read_reject_facts(const store::OutputReader& output,
                                           std::size_t most_examples, const Stop& stop) {
  std::vector<RejectedFor> reasons;
  store::RejectCursor rejects = output.rejects();
  for (RecordRow record; rejects.next(record);) {
    stop_if_asked(stop);
    const std::string reason(to_string(record.defect->reason));
    auto found = std::ranges::find(reasons, reason, &RejectedFor::reason);
    if (found == reasons.end()) {
      reasons.push_back({reason, 0, {}});
      found = reasons.end() - 1;
    }
    ++found->count;
    if (found->examples.size() < most_examples) {
      found->examples.push_back(record);
    }
  }
  std::ranges::stable_sort(reasons, std::greater<>(), &RejectedFor::count);
  return reasons;
}

}  // namespace longhaul::report
