#include "base/start_thread.hpp"

#include <condition_variable>
#include <mutex>
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
  std::mutex mutex;
  std::condition_variable all_started;
  bool go = false;
  std::vector<std::thread> threads;
  const auto end_all = [&] {
    {
      const std::lock_guard lock(mutex);
      go = true;
    }
    all_started.notify_all();
    for (std::thread& thread : threads) {
      thread.join();
    }
  };
  try {
    threads.reserve(count);
    for (unsigned i = 0; i < count; ++i) {
      threads.push_back(start_thread([&] {
        std::unique_lock lock(mutex);
        all_started.wait(lock, [&] { return go; });
      }));
    }
  } catch (...) {
    end_all();
    throw;
  }
  end_all();
}

}  // namespace longhaul
