#include "base/start_thread.hpp"

#include <system_error>
#include <utility>

#include "base/error.hpp"

namespace longhaul {

std::thread start_thread(std::function<void()> work) {
  try {
    return std::thread(std::move(work));
  } catch (const std::system_error& refused) {
    throw Error(
        ExitCode::kMemory,
        std::string("the system gives no memory for another thread: ") + refused.code().message(),
        "raise the limits of address space (ulimit -v) and processes (ulimit -u)");
  }
}

}  // namespace longhaul
