// Starting a thread when the system may refuse one.
#pragma once

#include <functional>
#include <thread>

namespace longhaul {

// A thread that runs `work`. Throws Error (kMemory) where std::thread throws std::system_error:
// a thread needs 8 MiB of addresses for its stack, and a place under the limit of processes.
std::thread start_thread(std::function<void()> work);

}  // namespace longhaul
