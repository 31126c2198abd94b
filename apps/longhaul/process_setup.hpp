// What the program sets right about itself before it does anything: its standard descriptors, the
// signals that would end it in the middle of a write, and whether it stands anywhere.
// The main thread, before any other.
#pragma once

#include <optional>
#include <string>

namespace longhaul::app {

// A file that is opened while 0, 1 or 2 is closed takes that number, and what is meant for standard
// output or the log is written into it. So they are opened on /dev/null, standard output in a way
// that cannot be written to: data that somebody asked for and nobody gets is an error. Ends the
// process with 74 where that fails.
void open_standard_descriptors();

// PIPE: a reader that goes away must not end a long run. XFSZ: a file that grows beyond a limit on
// file sizes is a failed write, which is said.
void ignore_signals_of_writing();

// As many open files as a process may have: the tables of all shards are read at once.
void allow_many_files();

// What starts this program once more; `first_argument` is how it was called.
std::string own_executable(const std::string& first_argument);

// Absolute; nothing where it cannot be told.
std::optional<std::string> working_directory();

// Error(kIo) when the working directory was deleted.
void require_working_directory();

}  // namespace longhaul::app
