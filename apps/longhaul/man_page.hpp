// The manual page, in man's own macros. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "flag_list.hpp"

namespace longhaul::app {

std::string man_page(const std::vector<Command>& commands);

}  // namespace longhaul::app
