// Parquet files and compressed text, through Arrow C++. A build without Arrow links the same
// function, which then gives nothing, and open_input says so when it is asked for either.
// The functions may be called from any thread; what they return belongs to one thread at a time.
#pragma once

#include "input/record_reader.hpp"

namespace longhaul::arrow_room {

input::InputBackends arrow_backends();

}  // namespace longhaul::arrow_room
