// What --skip-duplicates and the count of repeated ids remember over sessions: the accepted rows of
// records.csv. One thread. Throws Error(kIo, kBadData) for a records.csv that cannot be read.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/run_config.hpp"
#include "input/record_reader.hpp"
#include "prepare/duplicate_filter.hpp"
#include "prepare/preprocessor.hpp"
#include "run/repeated_ids.hpp"
#include "store/output_reader.hpp"

namespace longhaul::session {

// The earlier row that a prepared record repeats; nothing for a first one.
using DuplicateOf = std::function<std::optional<std::uint64_t>(const prepare::Prepared& prepared)>;

// What --skip-duplicates remembers: of each record that was compared its key and its row, and which
// of these rows have no vector all the same.
struct Compared {
  explicit Compared(prepare::DuplicateFilter::Key key) : filter(key) {}
  prepare::DuplicateFilter filter;
  std::map<std::uint64_t, Defect> without_vector;
};

// What --skip-duplicates compares.
prepare::DuplicateFilter::Key duplicate_key(const config::RunConfig& config);

// The kept columns of the input, and the one that --skip-duplicates dhash adds. Throws
// Error(kUsage) when the input has one of that name.
std::vector<std::string> output_columns(const config::RunConfig& config,
                                        const input::RecordReader& reader);

// Finds the first row like a prepared one and remembers each; `compared` must outlive it.
DuplicateOf first_finder(Compared& compared);

// Remembers the records of `output`: their hash, or their likeness.
void remember_rows(const store::OutputReader& output, prepare::DuplicateFilter::Key key,
                   Compared& compared);

// Gives the ids of the records of `output` to `ids`.
void recall_ids(const store::OutputReader& output, run::RepeatedIds& ids);

}  // namespace longhaul::session
