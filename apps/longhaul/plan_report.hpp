// What `longhaul plan` says: for people, and as one JSON object.
// Pure functions but for printing; one thread.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>

#include "session/planning.hpp"

namespace longhaul::app {

// Lines of at most `columns`.
void print_plan(const session::RunPlan& plan, std::size_t columns);
nlohmann::ordered_json to_json(const session::RunPlan& plan);

}  // namespace longhaul::app
