// The paths of a run.json that is replayed mean something from the directory in which its run was
// started: relative names are also ids and sources of records, so the process goes there instead of
// rewriting them. The main thread, before any other.
#pragma once

#include <optional>
#include <string>

#include "config/run_config.hpp"
#include "config_options.hpp"

namespace longhaul::app {

// Goes to the recorded directory where a relative path of the file is used from another one; paths
// from the command line and the environment are made absolute first. The directory that was left;
// nothing where the process stays. Throws Error(kIo) when the recorded one is not there.
std::optional<std::string> enter_recorded_directory(config::ResolvedConfig& resolved,
                                                    const ConfigOptions& options);

// The same for the paths of `config`, all of them from a file; stays where it is when the recorded
// directory is gone.
void enter_directory_if_there(const config::ResolvedConfig& resolved);

}  // namespace longhaul::app
