// Threads that share out the items of one job at a time; the caller works too.
// run() may be called from any thread, one at a time: others wait. The first exception of an item
// is rethrown by run() when all items are done or dropped.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace longhaul {

class WorkerPool {
 public:
  explicit WorkerPool(std::size_t workers);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  void run(std::size_t items, const std::function<void(std::size_t item)>& work);

 private:
  void serve();
  void take_items();

  std::mutex one_job_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  const std::function<void(std::size_t)>* work_ = nullptr;
  std::size_t items_ = 0;
  std::atomic<std::size_t> next_{0};
  std::size_t job_ = 0;   // counts jobs, so that a worker joins each once
  std::size_t busy_ = 0;  // workers in the job
  bool stop_ = false;
  std::exception_ptr error_;
  std::vector<std::thread> threads_;
};

}  // namespace longhaul
