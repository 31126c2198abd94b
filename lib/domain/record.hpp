// One record of the input as it was read, good or bad.
// A value; owned by whoever holds it; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/outcome.hpp"

namespace longhaul {

struct Record {
  std::uint64_t ordinal = 0;         // position in the whole input, from 0: the row of its vector
  std::optional<std::uint64_t> row;  // of its vector, where that is not the ordinal: in a retry
  std::string id;        // the id column, the header's first word, a relative path, or the ordinal
  std::string payload;   // residues exactly as read (no trimming); an image's path
  std::string identity;  // images: size and time of the file, which stand for its bytes; else empty
  std::string source;    // the input as the user named it; "-" is standard input
  std::uint64_t line =
      0;  // first line of the record in its source, from 1; 0 where lines mean nothing
  std::uint64_t byte = 0;         // offset of that line in the (decompressed) source
  std::vector<std::string> kept;  // one value per RecordReader::kept_columns()
  std::optional<Defect> defect;   // set when the record could not be read: it has no vector
};

}  // namespace longhaul
