// A table as CSV (RFC 4180, LF): what is missing is an empty field, a number has the digits that
// give its float64 back. No vectors: a field is one value. Memory is a buffer of a megabyte. One
// thread. Errors: what the file system says.
#pragma once

#include "export/table_sink.hpp"

namespace longhaul::export_room {

MakeSink csv_sink();

}  // namespace longhaul::export_room
