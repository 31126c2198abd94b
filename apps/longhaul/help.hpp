// Help as this program prints it: wrapped at the terminal's width, and without what is rarely
// needed unless all is asked for (--help-all). One thread, the main one.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class Formatter;
}

namespace longhaul::app {

// Groups whose options are only in --help-all begin with this character, which is not printed.
constexpr char kOnlyInHelpAll = '\x01';

std::shared_ptr<CLI::Formatter> help_formatter(std::size_t columns);

// `longhaul help`, `longhaul help COMMAND` and `longhaul version` as the flags they stand for.
std::vector<std::string> without_help_words(std::vector<std::string> arguments);

}  // namespace longhaul::app
