// What a merge looks at before it writes, beside the proof of the shards (shard_set.hpp).
// Pure but for the files' sizes; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/files.hpp"
#include "config/run_config.hpp"
#include "session/shard_set.hpp"

namespace longhaul::session {

// Throws Error(kBadData) where more records were rejected than the limit allows.
void require_few_rejects(const ShardSet& set, const config::RejectLimit& limit,
                         const std::string& output);

// Throws Error(kIo) where there is no room: for one copy, or where shards are removed, for the
// largest. `claims`: the shards that have their place already.
void require_merge_space(Files& files, const ShardSet& set,
                         const std::map<std::uint64_t, std::string>& claims,
                         const std::string& output, bool remove_shards);

}  // namespace longhaul::session
