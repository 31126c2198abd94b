#include "run/open_window.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace longhaul::run {

OpenWindow::OpenWindow(Window window, const plan::RowsPolicy& parts, std::uint64_t skip)
    : window_(std::make_shared<Window>(std::move(window))), parts_(parts) {
  skip_done(skip);
  for (std::size_t i = position_; i < window_->order.size(); ++i) {
    if (!window_->is_taken(window_->order[i].index)) {
      computed_.push_back(window_->order[i]);
      places_.push_back(i);
      if (parts_.rows_fixed > 0 && !window_->standings.empty()) {
        computed_.back().group = 0;  // groups are of an order in which nothing is left out
      }
    }
  }
  count_work();
}

void OpenWindow::skip_done(std::uint64_t records) {
  for (; records_ < records && !is_passed(); ++position_) {
    records_ += ends_record(window_->order[position_]) ? 1U : 0U;
  }
}

// What the window asks for, of which the first slots may be done.
void OpenWindow::count_work() {
  Window& window = *window_;
  window.work.left.computed = plan::workload_of(computed_, parts_);
  window.work.all.computed = window.work.left.computed;
  std::vector<plan::Slot> done;
  std::uint64_t ordered = 0;
  std::uint64_t taken = 0;
  std::uint64_t taken_before = 0;
  for (std::size_t i = 0; i < window.order.size(); ++i) {
    const plan::Slot& slot = window.order[i];
    const bool is_taken = window.is_taken(slot.index);
    if (!is_taken && i < position_) {
      done.push_back(slot);
    }
    if (ends_record(slot)) {
      ++ordered;
      taken += is_taken ? 1U : 0U;
      taken_before += is_taken && i < position_ ? 1U : 0U;
    }
  }
  window.work.all.computed.add(plan::workload_of(done, parts_));
  window.work.all.passed = window.records.size() - ordered + taken;
  window.work.left.passed = window.work.all.passed - taken_before;
}

bool OpenWindow::ends_record(const plan::Slot& slot) const {
  return slot.segment + 1 >= window_->records[slot.index].segments;
}

std::vector<plan::Part> OpenWindow::cut(const plan::BatchLimits& limits) {
  std::vector<plan::Part> parts = plan::cut_batch(computed_, next_, parts_, limits);
  for (const plan::Part& part : parts) {
    next_ += part.count;
  }
  return parts;
}

void OpenWindow::pass_to_next_part(BatchJob& job, const RepeatedRow& repeated) {
  job.window = window_;
  job.first = records_;
  const std::size_t end = has_slots() ? places_[next_] : window_->order.size();
  for (; position_ < end; ++position_) {
    const plan::Slot& slot = window_->order[position_];
    if (!ends_record(slot)) {
      continue;
    }
    ++job.count;
    if (!window_->is_taken(slot.index)) {
      continue;
    }
    const prepare::Prepared& prepared = window_->records[slot.index];
    if (const auto first = repeated ? repeated(prepared) : std::nullopt) {
      job.late.push_back(late_duplicate(prepared.record.row, *first));
    } else {
      job.taken.push_back(slot.index);
    }
  }
  records_ += job.count;
  std::sort(job.taken.begin(), job.taken.end());  // as they mostly stand in their file
  job.last = is_passed();
  // Those that have no slot are done with the last job.
  job.work.passed = job.taken.size() + (job.last ? window_->records.size() - records_ : 0);
}

}  // namespace longhaul::run
