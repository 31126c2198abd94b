// The input of a session: opened, compared with what earlier sessions read, and brought to where
// they stopped. One thread. Throws Error.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "input/record_reader.hpp"
#include "session/mode.hpp"

namespace longhaul::session {

struct SessionInput {
  std::unique_ptr<input::RecordReader> reader;
  std::vector<input::SourceIdentity> sources;
  std::optional<store::Progress> from;  // of the last commit; nothing: from the beginning
  bool other_files = false;             // than the last session found
  bool window_dropped = false;          // what was done of the window in hand counts no more
};

// `continues` is for a process that continues itself: nobody touched the files in between. Reading
// that is asked to stop throws Error(kInterrupted).
SessionInput open_session_input(Mode& mode, const config::RunConfig& config,
                                const encode::EncoderCard& card, const Host& host, bool continues,
                                const std::function<bool()>& stop);

}  // namespace longhaul::session
