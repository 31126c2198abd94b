#include "run/batch_source.hpp"

#include <algorithm>
#include <limits>

namespace longhaul {

BatchSource::BatchSource(WindowSource windows, const Preprocessor& preprocessor,
                         const MemoryGovernor& governor, const CutSettings& cut,
                         RejectPolicy& rejects, std::uint64_t skip)
    : windows_(std::move(windows)),
      preprocessor_(preprocessor),
      governor_(governor),
      cut_(cut),
      rejects_(rejects),
      skip_(skip),
      time_budget_(std::numeric_limits<double>::max()) {}

bool BatchSource::read_window() {
  std::optional<Window> window = windows_.next();
  if (!window) {
    return false;
  }
  window_ = std::make_shared<Window>(std::move(*window));
  for (const Prepared& prepared : window_->records) {
    if (prepared.defect) {
      rejects_.rejected(prepared.record, *prepared.defect);
    } else {
      rejects_.accepted();
    }
  }
  position_ = std::min<std::size_t>(skip_, window_->order.size());
  skip_ = 0;
  return true;
}

std::optional<BatchJob> BatchSource::next() {
  if (!window_ && !read_window()) {
    return std::nullopt;
  }
  BatchJob job;
  job.window = window_;
  job.first = static_cast<std::uint32_t>(position_);
  if (position_ < window_->order.size()) {
    const std::uint32_t width = window_->order[position_].width;
    double budget = governor_.budget(width);
    if (!cut_.fixed_rows) {
      budget = std::min(budget, time_budget_.load(std::memory_order_relaxed));
    }
    job.target_tokens = tokens_.load(std::memory_order_relaxed);
    const BatchLimits limits{
        .rows = cut_.rows,
        .tokens = job.target_tokens > 0 ? std::optional(job.target_tokens) : cut_.tokens,
        .budget = budget};
    job.width = width;
    job.count = cut_batch(window_->order, position_, limits);
    std::vector<Prepared*> records;
    records.reserve(job.count);
    for (std::uint32_t i = 0; i < job.count; ++i) {
      records.push_back(&window_->records[window_->order[position_ + i].index]);
    }
    // With fixed rows the shape is the same for every batch of this width, full or not.
    const std::uint32_t rows = cut_.fixed_rows ? rows_per_batch(width, limits) : 0;
    Assembled assembled = preprocessor_.assemble(records, width, rows);
    job.batch = std::move(assembled.batch);
    for (const std::uint32_t index : assembled.accepted) {
      job.records.push_back(window_->order[position_ + index].index);
    }
    for (const Assembled::Late& late : assembled.rejected) {
      rejects_.rejected_late(records[late.index]->record, late.defect);
      job.late.push_back({.row = records[late.index]->record.ordinal,
                          .status = Status::kRejected,
                          .defect = late.defect,
                          .duplicate_of = std::nullopt,
                          .hash = std::nullopt});
    }
    for (const Assembled::Duplicate& duplicate : assembled.duplicates) {
      job.late.push_back({.row = records[duplicate.index]->record.ordinal,
                          .status = Status::kDuplicate,
                          .defect = std::nullopt,
                          .duplicate_of = duplicate.of,
                          .hash = std::nullopt});
    }
    position_ += job.count;
  }
  job.last = position_ >= window_->order.size();
  if (job.last) {
    window_.reset();
  }
  return job;
}

}  // namespace longhaul
