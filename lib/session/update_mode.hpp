// --update: an output made anew from its own rows and an input that has changed since, then
// exchanged for the old one (store/next_output.hpp). Where nothing was begun, a plain run.
#pragma once

#include <memory>

#include "session/mode.hpp"

namespace longhaul::session {

// Completes an exchange that was begun. Throws Error(kUsage) for an output that cannot be renamed;
// kMismatch for one that is a shard, or still holds shards.
std::unique_ptr<Mode> update_mode(const config::RunConfig& config, const Host& host);

}  // namespace longhaul::session
