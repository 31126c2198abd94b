// `longhaul inspect` of an output whose shards are not merged: a line for each. Reads only; one
// thread.
#pragma once

#include <cstddef>
#include <string>

#include "base/error.hpp"

namespace longhaul::app {

// Whether there are shards that are not merged yet, or not wholly.
bool holds_shards(const std::string& path);
// Throws Error(kBadData, kIo).
ExitCode inspect_shards(const std::string& path, bool as_json, std::size_t columns);

}  // namespace longhaul::app
