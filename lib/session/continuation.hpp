// What one incarnation of a process tells the next, where a run starts anew to give memory back.
#pragma once

#include <chrono>
#include <cstdint>

namespace longhaul::session {

struct Continuation {
  int lock = -1;                       // descriptor that holds the directory's lock
  std::chrono::milliseconds spent{0};  // of --time-limit
  std::uint64_t recycles = 0;
};

}  // namespace longhaul::session
