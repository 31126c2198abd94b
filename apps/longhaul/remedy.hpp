// What an error says to do, with the commands that this installation has.
#pragma once

#include <string>

#include "base/error.hpp"

namespace longhaul::app {

// The rooms name the checkout's scripts. An installed program (cmake/Install.cmake) has none beside
// it: there the exporters are the command longhaul-export of the Python package.
std::string remedy_here(const Error& error);

// The same for a program that lies in `folder`.
std::string remedy_in(const std::string& folder, const std::string& remedy);

}  // namespace longhaul::app
