// The usual run: all records of the input, begun or continued in the output itself.
#pragma once

#include <memory>
#include <optional>

#include "session/mode.hpp"

namespace longhaul::session {

std::unique_ptr<Mode> plain_mode(const config::RunConfig& config, const Host& host,
                                 const std::optional<Continuation>& continuation);

}  // namespace longhaul::session
