// Records of a Parquet file, a few rows at a time: memory does not depend on the file's or its row
// groups' size. Only the columns in use are read. Strings, large strings and dictionaries of them
// are sequences; ids and kept columns of other types are taken as text, null as an empty one.
// (Text that is not UTF-8 is a defect in a string column, but in a dictionary Arrow refuses the
// file.) One thread at a time, and no others are started. A null or empty sequence is a defect; a
// damaged file is Error(kBadData) with the row, a failing disk Error(kIo).
#pragma once

#include <memory>

#include "input/source_reader.hpp"

namespace longhaul::arrow_room {

std::unique_ptr<input::SourceReader> open_parquet(const input::SourceSettings& settings);

}  // namespace longhaul::arrow_room
