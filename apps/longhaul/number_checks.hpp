// Checks for the numbers that a command's own flags take: what is allowed is said in words, and a
// minus never wraps round. Any thread.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>

namespace longhaul::app {

CLI::Validator whole_number(std::uint64_t least = 0,
                            std::uint64_t most = std::numeric_limits<std::uint64_t>::max());
// Finite numbers, none less than `least`.
CLI::Validator number_from(double least);
CLI::Validator any_number();

}  // namespace longhaul::app
