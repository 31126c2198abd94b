#include "run/batch_source.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace longhaul::run {

BatchSource::BatchSource(WindowSource windows, const prepare::Preprocessor& preprocessor,
                         const plan::MemoryGovernor& governor, const CutSettings& cut,
                         RejectPolicy& rejects, std::uint64_t skip, RepeatedRow repeated)
    : windows_(std::move(windows)),
      preprocessor_(preprocessor),
      governor_(governor),
      cut_(cut),
      rejects_(rejects),
      repeated_(std::move(repeated)),
      skip_(skip),
      time_budget_(std::numeric_limits<double>::max()) {}

bool BatchSource::read_window() {
  std::optional<Window> window = windows_.next();
  if (!window) {
    return false;
  }
  window_ = std::make_shared<Window>(std::move(*window));
  for (const prepare::Prepared& prepared : window_->records) {
    if (prepared.defect) {
      rejects_.rejected(prepared.record, *prepared.defect);
    } else if (prepared.looks_like_nucleotides) {
      rejects_.accepted_as_nucleotides(prepared.record);
    } else {
      rejects_.accepted();
    }
  }
  position_ = 0;
  for (records_ = 0; records_ < skip_ && position_ < window_->order.size(); ++position_) {
    records_ += ends_record(window_->order[position_]) ? 1U : 0U;
  }
  skip_ = 0;
  computed_.clear();
  places_.clear();
  next_ = 0;
  for (std::size_t i = position_; i < window_->order.size(); ++i) {
    if (!window_->is_taken(window_->order[i].index)) {
      computed_.push_back(window_->order[i]);
      places_.push_back(i);
      if (cut_.parts.rows_fixed > 0 && !window_->standings.empty()) {
        computed_.back().group = 0;  // groups are of an order in which nothing is left out
      }
    }
  }
  count_work();
  return true;
}

void BatchSource::count_work() {
  Window& window = *window_;
  window.work.left.computed = plan::workload_of(computed_, cut_.parts);
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
  window.work.all.computed.add(plan::workload_of(done, cut_.parts));
  window.work.all.passed = window.records.size() - ordered + taken;
  window.work.left.passed = window.work.all.passed - taken_before;
}

bool BatchSource::ends_record(const plan::Slot& slot) const {
  return slot.segment + 1 >= window_->records[slot.index].segments;
}

void BatchSource::assemble(const plan::Part& part, BatchJob& job) {
  std::vector<prepare::Row> rows;
  rows.reserve(part.count);
  const auto slot_of = [&](std::uint32_t i) { return computed_[part.first + i]; };
  for (std::uint32_t i = 0; i < part.count; ++i) {
    rows.push_back({&window_->records[slot_of(i).index], slot_of(i).segment});
  }
  prepare::Assembled assembled = preprocessor_.assemble(rows, part.width, part.rows);
  for (const std::uint32_t index : assembled.accepted) {
    job.records.push_back(slot_of(index).index);
    job.rows.push_back(rows[index]);
  }
  if (!assembled.accepted.empty()) {
    job.parts.push_back(std::move(assembled.batch));
  }
  for (const prepare::Assembled::Late& late : assembled.rejected) {
    const Record& record = rows[late.index].prepared->record;
    rejects_.rejected_late(record, late.defect);
    job.late.push_back(late_reject(record.row, late.defect));
  }
  for (const prepare::Assembled::Duplicate& duplicate : assembled.duplicates) {
    job.late.push_back(late_duplicate(rows[duplicate.index].prepared->record.row, duplicate.of));
  }
}

void BatchSource::pass_to(std::size_t end, BatchJob& job) {
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
    if (const auto first = repeated_ ? repeated_(prepared) : std::nullopt) {
      job.late.push_back(late_duplicate(prepared.record.row, *first));
    } else {
      job.taken.push_back(slot.index);
    }
  }
  records_ += job.count;
  std::sort(job.taken.begin(), job.taken.end());  // as they mostly stand in their file
}

std::optional<BatchJob> BatchSource::next() {
  if (!window_ && !read_window()) {
    return std::nullopt;
  }
  BatchJob job;
  job.window = window_;
  job.first = records_;
  if (next_ < computed_.size()) {
    const plan::BatchLimits limits{.rows = cut_.rows,
                                   .tokens = cut_.tokens,
                                   .budget = governor_.budget(computed_[next_].width),
                                   .work = time_budget_.load(std::memory_order_relaxed),
                                   .concurrency = cut_.concurrency};
    for (const plan::Part& part : cut_batch(computed_, next_, cut_.parts, limits)) {
      assemble(part, job);
      job.work.computed.add(part.width, part.rows);
      next_ += part.count;
    }
  }
  pass_to(next_ < computed_.size() ? places_[next_] : window_->order.size(), job);
  job.last = position_ >= window_->order.size();
  // Those that have no slot are done with the last job.
  job.work.passed = job.taken.size() + (job.last ? window_->records.size() - records_ : 0);
  job.records_total = window_->ends_input ? window_->end.row : windows_.records_total();
  if (job.last) {
    window_.reset();
  }
  return job;
}

}  // namespace longhaul::run
