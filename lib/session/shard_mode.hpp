// One of several processes that share an input: the blocks of records that are its own, in an
// output directory of its own, OUT/shards/I-of-N. Where OUT is merged already, a plain run that has
// nothing to do.
#pragma once

#include <memory>
#include <optional>

#include "session/mode.hpp"

namespace longhaul::session {

// `config.shard` says both which and of how many. Throws Error(kMismatch) where OUT was begun
// without shards, or with another number of them.
std::unique_ptr<Mode> shard_mode(const config::RunConfig& config, const Host& host,
                                 const std::optional<Continuation>& continuation);

}  // namespace longhaul::session
