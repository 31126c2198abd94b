// Text and tables that fit a terminal: wrapped at its width, 80 columns where it is not known.
// Pure functions but for stdout_columns(); any thread.
#pragma once

#include <cstddef>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace longhaul::app {

// COLUMNS, else the width of the terminal that standard output is, else 80; between 40 and 160.
std::size_t stdout_columns(const std::map<std::string, std::string>& environment);

// The words of `text` in lines of at most `columns`, the second and later ones indented. The first
// line has `taken` columns already. A word that is longer than a line stays whole. Line breaks in
// `text` stay.
std::string filled(const std::string& text, std::size_t columns, std::size_t indent,
                   std::size_t taken);

// "name          value", the value wrapped under itself; with its newline.
std::string named_line(const std::string& name, const std::string& value, std::size_t columns);

// Rows of cells, each column as wide as its widest cell: the first flush left, the others right.
// Columns that do not fit follow in further blocks, which repeat the first column.
std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t columns);

// A value of a report for people: text without its quotes, "a 1, b 2" for an object, "-" for null.
std::string in_words(const nlohmann::json& value);

}  // namespace longhaul::app
