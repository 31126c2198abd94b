// What store_directory.cpp shares within the room.
#pragma once

#include <string>

#include "base/files.hpp"

namespace longhaul::store {

// Deletes the files that a run leaves in a directory, its journal last. Throws Error(kIo).
void remove_run_files(Files& files, const std::string& directory);

}  // namespace longhaul::store
