// A thread of the pipeline: runs its work and keeps what that throws. Joined by whoever owns it, at
// the latest when it is destroyed.
#pragma once

#include <exception>
#include <thread>
#include <utility>

#include "base/start_thread.hpp"

namespace longhaul::run {

class Stage {
 public:
  template <typename Work>
  explicit Stage(Work work)
      : thread_(start_thread([this, work = std::move(work)] {
          try {
            work();
          } catch (...) {
            error_ = std::current_exception();
          }
        })) {}
  ~Stage() { join(); }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  void join() {
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  // After join().
  void rethrow() const {
    if (error_) {
      std::rethrow_exception(error_);
    }
  }

 private:
  std::exception_ptr error_;
  std::thread thread_;
};

}  // namespace longhaul::run
