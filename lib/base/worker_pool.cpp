#include "base/worker_pool.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/start_thread.hpp"

namespace longhaul {

WorkerPool::WorkerPool(std::size_t workers) {
  threads_.reserve(std::max<std::size_t>(workers, 1) - 1);
  try {
    for (std::size_t i = 1; i < workers; ++i) {
      threads_.push_back(start_thread([this] { serve(); }));
    }
  } catch (const Error&) {
    // Fewer workers do the same work.
  }
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

void WorkerPool::take_items() {
  for (std::size_t item = next_++; item < items_; item = next_++) {
    try {
      (*work_)(item);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) {
        error_ = std::current_exception();
      }
      next_ = items_;
    }
  }
}

void WorkerPool::serve() {
  std::size_t seen = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stop_ || job_ != seen; });
    if (stop_) {
      return;
    }
    seen = job_;
    lock.unlock();
    take_items();
    lock.lock();
    if (--busy_ == 0) {
      done_.notify_one();
    }
  }
}

void WorkerPool::run(std::size_t items, const std::function<void(std::size_t)>& work) {
  const std::lock_guard job(one_job_);
  {
    const std::lock_guard lock(mutex_);
    work_ = &work;
    items_ = items;
    next_ = 0;
    error_ = nullptr;
    busy_ = threads_.size();
    ++job_;
  }
  wake_.notify_all();
  take_items();
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return busy_ == 0; });
  if (error_) {
    std::rethrow_exception(error_);
  }
}

}  // namespace longhaul
