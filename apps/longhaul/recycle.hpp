// Runs the program anew in the same process, to give back memory that no call returns (MPS graphs,
// allocators that never shrink). The run continues from its last commit, with the directory's lock
// still held, so nobody can step in between.
// Main thread, after every other thread has ended.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "session/continuation.hpp"

namespace longhaul::app {

std::string to_text(const session::Continuation& continuation);
// Throws Error(kUsage): only the program itself writes this text.
session::Continuation continuation_from_text(const std::string& text);

// Replaces the process. `arguments` are those of this process; --overwrite and an older
// continuation are left out. Every descriptor but the standard ones and the lock closes. Stop
// signals are held (signals.hpp) and heard by the next program. Goes back to `directory` first,
// where the paths of the command line mean something. Returns only by throwing Error.
[[noreturn]] void recycle(const std::vector<std::string>& arguments,
                          const session::Continuation& continuation,
                          const std::optional<std::string>& directory);

}  // namespace longhaul::app
