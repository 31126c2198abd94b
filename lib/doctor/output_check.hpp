// Whether a run could write its output where it is meant to: every kind of call that an output
// depends on is tried, in a folder of its own that is removed again.
// Errors are lines, never thrown. One thread.
#pragma once

#include <string>

#include "base/files.hpp"
#include "doctor/health.hpp"

namespace longhaul::doctor {

// `path` is what --output would be; it need not exist. `tag` makes the folder's name this process's
// own.
HealthLine check_output(Files& files, const std::string& path, const std::string& tag);

}  // namespace longhaul::doctor
