// records.csv and rejects.csv read side by side for verify: each line as it should be, and the
// rejected ones in both. One thread; findings go to the Verification it was given.
#pragma once

#include <cstdint>

#include "store/output_reader.hpp"
#include "store/verify.hpp"

namespace longhaul::store {

class TableCheck {
 public:
  TableCheck(const OutputReader& output, Verification& result);

  // The next record; false at the end. Of a line that does not fit, what could be read of it.
  bool next(RecordRow& row);

 private:
  void match_reject(const RecordRow& row);

  RecordCursor records_;
  RejectCursor rejects_;
  Verification& result_;
};

}  // namespace longhaul::store
