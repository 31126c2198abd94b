// An output's next generation, made beside it in OUT.update, and the exchange of the two: OUT is
// the old one or the new one at every moment, or where the file system cannot exchange two
// directories absent between two renames. Whatever ends in between, finish_exchange() completes.
//
// What proves that a directory is part of it, and not another's that happens to have its name, are
// the journals: the next generation's begins with the end of the old one's ("reuse").
// Free functions; one thread. Throw Error(kIo); kUnavailable where another process is about it;
// kMismatch for a directory of that name that is another's.
#pragma once

#include <string>

#include "base/files.hpp"

namespace longhaul::store {

std::string next_directory(const std::string& output);  // OUT.update

// Whether the run in `next` was begun to follow the output as it is, by its journal.
bool follows_output(Files& files, const std::string& next, const std::string& output);

// `next` is finished, nobody has it open, and the caller holds the lock of `output`. Other people's
// files in the old output move along; what a run left there is deleted. What is left of it, at
// `next`, is for remove_emptied().
void exchange_outputs(Files& files, const std::string& output, const std::string& next);

// When the lock of the old output is released: network file systems keep a name for each file that
// is open, and the directory with it; the next start finds what cannot be removed.
void remove_emptied(Files& files, const std::string& next);

// Before an output is opened: completes an exchange that was begun. `holder` is for locks.
void finish_exchange(Files& files, const std::string& output, const std::string& holder);

}  // namespace longhaul::store
