// Where the files of one command may lie. Any thread. Throws Error(kUsage).
#pragma once

#include "config/run_config.hpp"

namespace longhaul::app {

// The output directory holds nothing but what embed puts there, when it begins; and what it holds
// must not be read as input by the next start.
void require_apart(const config::RunConfig& config);

}  // namespace longhaul::app
