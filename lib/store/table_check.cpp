#include "store/table_check.hpp"

#include <string>

namespace longhaul::store {
namespace {

template <typename Cursor>
std::string where(const Cursor& cursor) {
  return cursor.path() + " line " + std::to_string(cursor.line());
}

}  // namespace

TableCheck::TableCheck(const OutputReader& output, Verification& result)
    : records_(output.records()), rejects_(output.rejects()), result_(result) {
  if (!records_.header_fits()) {
    result_.add(records_.path() + " line 1", "is not the header of these records");
  }
}

bool TableCheck::next(RecordRow& row) {
  std::string problem;
  if (!records_.next(row, problem)) {
    if (RecordRow extra; rejects_.next(extra, problem)) {
      result_.add(where(rejects_), "names row " + std::to_string(extra.position) +
                                       ", which records.csv does not hold as rejected");
    }
    return false;
  }
  if (!problem.empty()) {
    result_.add(where(records_), problem);
  }
  if (row.status == Status::kRejected) {
    match_reject(row);
  }
  return true;
}

void TableCheck::match_reject(const RecordRow& row) {
  RecordRow reject;
  std::string problem;
  if (!rejects_.next(reject, problem)) {
    result_.add(rejects_.path(), "lacks row " + std::to_string(row.position) +
                                     ", which records.csv says is rejected");
  } else if (!problem.empty() || reject.position != row.position || reject.id != row.id) {
    result_.add(where(rejects_), "does not belong to the rejected row " +
                                     std::to_string(row.position) + " of records.csv" +
                                     (problem.empty() ? "" : ": it " + problem));
  }
}

}  // namespace longhaul::store
