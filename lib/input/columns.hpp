// Which columns of a source hold the sequence, the id and what is kept. Names are found in any
// case; the exact one goes first. Pure but for what it notes; any thread.
// Error(kUsage) when a flag names a column that is not there or the choice is ambiguous,
// Error(kBadData) when no column is known to hold sequences; both list the columns there are.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "input/source_reader.hpp"

namespace longhaul::input {

struct Columns {
  std::size_t sequence = 0;
  std::optional<std::size_t> id;
  std::vector<std::optional<std::size_t>> kept;  // nothing: the value comes with the source
};

Columns choose_columns(const std::vector<std::string>& names, const SourceSettings& settings);

// Whether one of these is, or could be, the column of sequences that the settings ask for.
bool has_sequence_column(const std::vector<std::string>& names, const SourceSettings& settings);

// Marks a record as not UTF-8 when its sequence, id or a kept value is not: none of them could be
// written down as it was read.
void check_utf8(Record& record);

// Fast where base/text.hpp's is careful: whether the text is valid UTF-8.
bool valid_utf8(std::string_view text);

}  // namespace longhaul::input
