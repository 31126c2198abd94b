// A small file written whole under another name first. Any thread. Errors: those of Files.
#pragma once

#include <string>
#include <string_view>

#include "base/files.hpp"

namespace longhaul {

// A reader of `path` sees the old text or the new one, also after a power cut. What lies at
// `aside`, in the same directory, is overwritten.
void write_aside(Files& files, const std::string& path, const std::string& aside,
                 std::string_view text);

}  // namespace longhaul
