// What was begun in an output directory, for who plans a run there: looked at without its lock, and
// nothing is changed. Free functions; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/files.hpp"
#include "session/run_begin.hpp"

namespace longhaul::session {

struct BegunRun {
  nlohmann::json fingerprint;  // run_identity.hpp
  Choices choices;
};

// Nothing where nothing was begun. Throws Error as a run would that goes on there as one of
// `shards` (1: by itself): kMismatch for a directory of other things, and for one that is divided
// otherwise; kBadData for a damaged journal.
std::optional<BegunRun> find_begun_run(Files& files, const std::string& output,
                                       std::uint64_t shards);

// What is on the disk already of the files with these names, finished or not, in the directory or
// its shards.
std::uint64_t bytes_there(Files& files, const std::string& output,
                          const std::map<std::string, std::uint64_t>& names);

}  // namespace longhaul::session
