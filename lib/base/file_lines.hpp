// The lines of a text file. One thread. Failures of the file system are Error(kIo).
#pragma once

#include <functional>
#include <string_view>

#include "base/files.hpp"

namespace longhaul {

// Each line without its newline, in order; in memory are a chunk and the longest line. `terminated`
// is false of a last one that has no newline. `line` is valid during the call.
void for_each_line(File& file,
                   const std::function<void(std::string_view line, bool terminated)>& visit);

}  // namespace longhaul
