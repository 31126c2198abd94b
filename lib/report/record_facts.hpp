// What records.csv tells of the records as a whole: how many, how long, which repeat another.
// Read in one pass; memory is that of the different lengths and of a few examples. One thread.
// Errors: those of store/record_cursor.hpp; kInterrupted when `stop` says so.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "store/output_reader.hpp"

namespace longhaul::report {

// Where a record came from, enough to find its image again.
struct NamedRecord {
  std::uint64_t row = 0;
  std::string id;
  std::string source;
};

struct RecordFacts {
  std::uint64_t records = 0;
  std::uint64_t ok = 0;
  std::uint64_t rejected = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t duplicates_with_vector = 0;  // their original's
  // Of records that were accepted, by their length in residues; empty for images.
  std::map<std::uint32_t, std::uint64_t> lengths;
  struct Pair {
    NamedRecord duplicate;
    std::uint64_t of = 0;  // row
  };
  std::vector<Pair> pairs;  // the first few
};

using Stop = std::function<bool()>;

// Throws Error(kInterrupted) when `stop` is there and true.
void stop_if_asked(const Stop& stop);

RecordFacts read_record_facts(const store::OutputReader& output, std::size_t most_pairs,
                              const Stop& stop);

// The records of these rows.
std::map<std::uint64_t, NamedRecord> find_records(const store::OutputReader& output,
                                                  const std::set<std::uint64_t>& rows,
                                                  const Stop& stop);

// {"width": 5, "from": [..], "counts": [..], "least": .., "greatest": .., "median": ..}: bins of
// equal width, in residues, that begin at `from`. Null where there is no length.
nlohmann::ordered_json length_histogram(const std::map<std::uint32_t, std::uint64_t>& lengths,
                                        std::uint32_t most_bins);

}  // namespace longhaul::report
