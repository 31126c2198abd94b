// CSV files that somebody else wrote and whose every row counts: predictions, labels, folds.
// One thread at a time. A line that cannot be read is an Error(kBadData) that names it; errors
// also: kUsage for a column that is not there, kIo.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/csv_reader.hpp"

namespace longhaul::score {

// "-" is standard input. Lines of '#' before the header are passed over.
CsvReader open_table(const std::string& path);

// Error(kUsage) that lists the columns there are; `flag` is what could name another.
std::size_t require_column(const CsvReader& table, std::string_view column, std::string_view flag);

}  // namespace longhaul::score
