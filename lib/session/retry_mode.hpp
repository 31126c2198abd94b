// --retry-rejects: the rejected rows of a complete output are embedded by a run of their own, in a
// directory inside the output, and merged into it when that run is finished
// (store/retry_merge.hpp).
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "session/mode.hpp"

namespace longhaul::session {

// Throws Error(kUsage) when the output is not complete, or when its rows depend on their
// neighbours; Error(kMismatch) when an earlier version made it.
std::unique_ptr<Mode> retry_mode(const config::RunConfig& config, const Host& host);

// The fingerprint of a run from the start that gives what `report` (run.json) says the retries of
// one with `fingerprint` have left.
nlohmann::json fingerprint_as_retried(nlohmann::json fingerprint,
                                      const nlohmann::ordered_json& report);

}  // namespace longhaul::session
