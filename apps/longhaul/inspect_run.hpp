// The second half of `longhaul inspect`: what an output directory holds, of a run that is complete,
// running, stopped or killed. Reads only; one thread.
#pragma once

#include <cstddef>
#include <string>

#include "base/error.hpp"

namespace longhaul::app {

// Throws Error(kBadData) for a directory that holds no run, or a damaged one.
ExitCode inspect_run(const std::string& path, bool as_json, std::size_t columns);

}  // namespace longhaul::app
