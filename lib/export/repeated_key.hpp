// Which rows of an output would have one key, where a reader takes one row for a key. Any thread.
// Memory is 24 bytes a row.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/hash.hpp"
#include "domain/record_row.hpp"
#include "store/output_reader.hpp"

namespace longhaul::export_room {

struct KeyedRow {
  Hash128 key;
  std::uint64_t position = 0;
};

// The first two rows, in their order, of a key that occurs twice; which of several such keys is
// told does not depend on the order of `rows`.
std::optional<std::pair<std::uint64_t, std::uint64_t>> rows_with_one_key(
    std::vector<KeyedRow> rows);

// The record at a position that the output has.
RecordRow record_at(const store::OutputReader& output, std::uint64_t position);

}  // namespace longhaul::export_room
