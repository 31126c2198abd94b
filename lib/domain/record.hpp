// One record of the input as it was read, good or bad.
// A value; owned by whoever holds it; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/outcome.hpp"

namespace longhaul {

// What an image's file was when it was found, without reading it.
struct FileStamp {
  std::uint64_t size = 0;
  std::int64_t seconds = 0;  // when it was modified
  std::int64_t nanoseconds = 0;
};

// A reader of an input makes row the position; one that selects (input/selected_reader.hpp) counts
// the rows of what it gives out.
struct Record {
  std::uint64_t position = 0;  // its place in the whole input, from 0: "row" in records.csv
  std::uint64_t row = 0;       // the place of its vector in the arrays of this run's output
  std::string id;       // the id column, the header's first word, a relative path, or the position
  std::string payload;  // residues exactly as read (no trimming); an image's path
  std::optional<FileStamp> stamp;  // of an image whose file or member was found
  std::string source;              // the input as the user named it; "-" is standard input
  std::uint64_t line =
      0;  // first line of the record in its source, from 1; 0 where lines mean nothing
  std::uint64_t byte = 0;         // offset of that line in the (decompressed) source
  std::vector<std::string> kept;  // one value per RecordReader::kept_columns()
  std::optional<Defect> defect;   // set when the record could not be read: it has no vector
};

}  // namespace longhaul
