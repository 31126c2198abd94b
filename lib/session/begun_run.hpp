// What was begun in an output directory, for who plans a run there: looked at without its lock, and
// nothing is changed. Free functions; one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/files.hpp"
#include "input/record_reader.hpp"
#include "session/run_begin.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::session {

struct BegunRun {
  nlohmann::json fingerprint;  // run_identity.hpp
  Choices choices;
  std::optional<store::StoreState> state;  // of one output; shards have one each
};

// Nothing where nothing was begun. Throws Error as a run would that goes on there as one of
// `shards` (1: by itself): kMismatch for a directory of other things, and for one that is divided
// otherwise; kBadData for a damaged journal.
std::optional<BegunRun> find_begun_run(Files& files, const std::string& output,
                                       std::uint64_t shards);

// Throws Error(kMismatch) where `whole`, at its beginning, gives other records than were read for
// this output, so that a run would not go on there. Reads again what files do not tell.
void require_begun_input(std::unique_ptr<input::RecordReader> whole, const store::StoreState& state,
                         Files& files, const std::string& output,
                         const std::function<bool()>& stop);

// What is on the disk already of the files with these names, finished or not, in the directory or
// its shards.
std::uint64_t bytes_there(Files& files, const std::string& output,
                          const std::map<std::string, std::uint64_t>& names);

}  // namespace longhaul::session
