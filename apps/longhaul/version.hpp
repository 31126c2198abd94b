// What --version prints: the program, its commit, compiler, and the libraries it was built with.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace longhaul::app {

std::string version_text();
// The same for run.json: {"longhaul": "0.1.0", "commit": "...", "torch": "2.11.0", ...}
nlohmann::json versions();

}  // namespace longhaul::app
