// What --skip-duplicates remembers over sessions: the accepted rows of records.csv.
// One thread. Throws Error(kIo, kBadData) for a records.csv that cannot be read.
#pragma once

#include <string>

#include "base/files.hpp"
#include "prepare/duplicate_filter.hpp"

namespace longhaul::app {

// Puts the accepted rows of OUT/records.csv into the filter: their hash, or their likeness.
void remember_rows(Files& files, const std::string& output, DuplicateFilter::Key key,
                   DuplicateFilter& filter);

}  // namespace longhaul::app
