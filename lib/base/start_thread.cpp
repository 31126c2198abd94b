#include "base/start_thread.hpp"

#include <latch>
#include <system_error>
#include <utility>
#include <vector>

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

void require_threads(unsigned count) {
  std::latch all_started(1);
  std::vector<std::thread> threads;
  const auto end_all = [&] {
    all_started.count_down();
    for (std::thread& thread : threads) {
      thread.join();
    }
  };
  try {
    threads.reserve(count);
    for (unsigned i = 0; i < count; ++i) {
      threads.push_back(start_thread([&] { all_started.wait(); }));
    }
  } catch (...) {
    end_all();
    throw;
  }
  end_all();
}

}  // namespace longhaul
