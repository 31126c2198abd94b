// What store_directory.cpp shares within the room.
#pragma once

#include <memory>
#include <string>

#include "base/files.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::store {

// Whether there is a journal of ours. False for a directory that is empty; Error(kMismatch) for one
// that holds other things.
bool is_output_directory(Files& files, const std::string& directory);

// Takes the lock of a directory. Error(kUnavailable) names its holder.
std::unique_ptr<FileLock> lock_output(Files& files, const std::string& directory,
                                      const LockRequest& request);

// Whether a run leaves something of this name in its directory.
bool is_run_file(const std::string& name);
// Deletes the files that a run leaves in a directory, its journal last. Throws Error(kIo).
void remove_run_files(Files& files, const std::string& directory);

}  // namespace longhaul::store
