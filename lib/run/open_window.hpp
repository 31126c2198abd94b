// A window while batches are made of it: its slots that are computed, and how far they are.
// Borrows the policy. One thread at a time, the prepare thread's; the window itself is shared with
// its jobs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "plan/rows_policy.hpp"
#include "plan/window.hpp"
#include "run/jobs.hpp"
#include "run/window_source.hpp"

namespace longhaul::run {

class OpenWindow {
 public:
  // `skip`: records of the window's order that an earlier session has done. Says in the window's
  // `work` what it asks for.
  OpenWindow(Window window, const plan::RowsPolicy& parts, std::uint64_t skip);

  Window& window() { return *window_; }

  // Whether slots are left to be computed, and how wide the next one is.
  bool has_slots() const { return next_ < computed_.size(); }
  std::uint32_t next_width() const { return computed_[next_].width; }
  // The parts that come next. A part's slots are valid as long as the window is open.
  std::vector<plan::Part> cut(const plan::BatchLimits& limits);
  std::span<const plan::Slot> slots_of(const plan::Part& part) const {
    return {computed_.data() + part.first, part.count};
  }

  // The job is what lies between the one before and the next part: which records of the order
  // these are, what of them is taken or repeated, and whether they are the last ones.
  void pass_to_next_part(BatchJob& job, const RepeatedRow& repeated);

 private:
  void skip_done(std::uint64_t records);
  void count_work();
  bool ends_record(const plan::Slot& slot) const;
  bool is_passed() const { return position_ >= window_->order.size(); }

  std::shared_ptr<Window> window_;  // see BatchJob
  const plan::RowsPolicy& parts_;
  std::size_t position_ = 0;   // slot of the window's order
  std::uint32_t records_ = 0;  // complete before it
  // Of the window's order, the slots that are computed, and where they stand there.
  std::vector<plan::Slot> computed_;
  std::vector<std::size_t> places_;
  std::size_t next_ = 0;  // of these
};

}  // namespace longhaul::run
