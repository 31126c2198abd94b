// `longhaul merge`, for the list of commands (commands.cpp).
#pragma once

#include "command.hpp"

namespace longhaul::app {

void add_merge(CLI::App& app, Context& context);

}  // namespace longhaul::app
