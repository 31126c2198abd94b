// Starting a thread when the system may refuse one.
#pragma once

#include <functional>
#include <thread>

namespace longhaul {

// A thread that runs `work`. Throws Error (kMemory) where std::thread throws std::system_error:
// a thread needs 8 MiB of addresses for its stack, and a place under the limit of processes.
std::thread start_thread(std::function<void()> work);

// Makes sure that `count` more threads can run at once, else throws as start_thread() does. For
// libraries that end the process when they get no thread, as OpenMP's: the stacks stay with the C
// library, which gives them to the next threads.
void require_threads(unsigned count);

}  // namespace longhaul
