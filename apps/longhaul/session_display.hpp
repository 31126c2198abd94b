// A session's snapshots, as the display shows them. Pure; any thread.
#pragma once

#include <chrono>

#include "domain/numbers.hpp"
#include "progress.hpp"
#include "run/pipeline.hpp"

namespace longhaul::app {

// What the display shows of a run that began `elapsed` ago.
ProgressSnapshot to_show(const run::RunSnapshot& snapshot, Modality modality,
                         std::chrono::duration<double> elapsed);

}  // namespace longhaul::app
