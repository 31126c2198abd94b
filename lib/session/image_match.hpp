// Whether images are those that were embedded, told by their bytes: for when sizes or times of
// files say that they may not be. Copied files have other times and are the same.
// Reads every image that has a vector; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/files.hpp"
#include "input/record_reader.hpp"

namespace longhaul::session {

// What differs first between the next `rows` records of `reader`, which stands at its beginning,
// and records.csv of `output`; nothing when all are the same. An image without a vector counts by
// its name alone. Throws Error(kBadData) for a damaged records.csv.
std::optional<std::string> first_other_image(input::RecordReader& reader, Files& files,
                                             const std::string& output, std::uint64_t rows);

}  // namespace longhaul::session
