// Which character separates the cells of delimited text, recognised by its header line.
// Pure functions; any thread. Error(kUsage) where the header can be read in more than one way.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "input/source_reader.hpp"

namespace longhaul::input {

// The delimiter that a line "sep=;" names, which spreadsheets write before the header.
std::optional<char> delimiter_of_sep_line(std::string_view line);

// Comma, semicolon, tab or bar: the format's own where it gives a column of sequences, else the one
// that does. Where none does, the one that gives columns at all, so that a message can list them.
char delimiter_of_header(std::string_view line, const SourceSettings& settings);

// The delimiter under which the line is the header of a table of sequences; nothing where there is
// none, or more than one.
std::optional<char> delimiter_of_table(std::string_view line, const SourceSettings& settings);

// "a comma", "a tab", "'!'".
std::string name_of_delimiter(char delimiter);

}  // namespace longhaul::input
