// Completion scripts for bash, zsh and fish. Each knows every command, flag and word, so that it
// starts the program for none of them. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "flag_list.hpp"

namespace longhaul::app {

std::string bash_completion(const std::vector<Command>& commands);
std::string zsh_completion(const std::vector<Command>& commands);
std::string fish_completion(const std::vector<Command>& commands);

}  // namespace longhaul::app
