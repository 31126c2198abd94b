// Folds given as a file: a CSV with columns `row` or `id`, and `fold` (0, 1, ...).
// Pure but for reading; any thread. Error(kBadData) for a row listed twice, a listed id that is not
// one record's, a row in use that is not listed, or a fold that tests nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "score/run_directory.hpp"

namespace longhaul::score {

// The fold of each of `rows`; what the file says of other rows is passed over.
std::vector<std::uint32_t> read_folds(const std::string& path, const RunDirectory& run,
                                      std::span<const std::size_t> rows);

}  // namespace longhaul::score
