// A table as a Parquet file: vectors as plain lists of float32, which every reader takes (some know
// no lists of a fixed size), not compressed, since vectors do not shrink; all else by Zstandard.
// Memory is a row group, about 32 MiB, and a row. One thread, and no others are started.
// Errors: what the file system says, kInternal for what Arrow refuses.
#pragma once

#include "export/table_sink.hpp"

namespace longhaul::arrow_room {

// Nothing in a build without Arrow.
export_room::MakeSink parquet_sink();

}  // namespace longhaul::arrow_room
