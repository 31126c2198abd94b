// What the tests of reading CSV and TSV share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "input/delimited_reader.hpp"
#include "input_helpers.hpp"

namespace longhaul::input::test {

inline SourceSettings table_settings(std::size_t block = 256 << 10) {
  SourceSettings settings;
  settings.name = "x.csv";
  settings.block_bytes = block;
  return settings;
}

inline std::vector<std::string> read(const std::string& text,
                                     SourceSettings settings = table_settings()) {
  return drain(*open_delimited(std::make_unique<MemorySource>(text), settings));
}

}  // namespace longhaul::input::test
