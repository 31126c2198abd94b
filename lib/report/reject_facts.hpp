// rejects.csv by reason: how many of each, and the first few. Memory is that of the examples. One
// thread. Errors: those of store/record_cursor.hpp; kInterrupted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "domain/record_row.hpp"
#include "report/record_facts.hpp"
#include "store/output_reader.hpp"

namespace longhaul::report {

struct RejectedFor {
  std::string reason;
  std::uint64_t count = 0;
  std::vector<RecordRow> examples;
};

// The most frequent reason first.
std::vector<RejectedFor> read_reject_facts(const store::OutputReader& output,
                                           std::size_t most_examples, const Stop& stop);

}  // namespace longhaul::report
