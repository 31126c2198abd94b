#include "command.hpp"

namespace longhaul::app {

void add_commands(CLI::App&, Context&) {}

}  // namespace longhaul::app
