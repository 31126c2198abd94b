// Failures of the file system as Error(kIo), for posix_files.cpp: with the path, the system's
// reason and what helps. `code` is an errno. Any thread.
#pragma once

#include <cstddef>
#include <string>

namespace longhaul {

// "cannot ACTION PATH: reason".
[[noreturn]] void fail(const std::string& action, const std::string& path, int code);
// A full disk is told with needed and free bytes.
[[noreturn]] void fail_write(int descriptor, const std::string& path, int code, std::size_t needed);
// What is in the place of a directory that cannot be made.
[[noreturn]] void fail_directory(const std::string& path, int code);

}  // namespace longhaul
