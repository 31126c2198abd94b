#include "run/batch_source.hpp"

#include <algorithm>
#include <limits>

namespace longhaul::run {

BatchSource::BatchSource(WindowSource windows, const prepare::Preprocessor& preprocessor,
                         const plan::MemoryGovernor& governor, const CutSettings& cut,
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
  return true;
}

bool BatchSource::ends_record(const plan::Slot& slot) const {
  return slot.segment + 1 >= window_->records[slot.index].segments;
}

void BatchSource::assemble(const plan::Part& part, BatchJob& job) {
  std::vector<prepare::Row> rows;
  rows.reserve(part.count);
  const auto slot_of = [&](std::uint32_t i) { return window_->order[part.first + i]; };
  for (std::uint32_t i = 0; i < part.count; ++i) {
    rows.push_back({&window_->records[slot_of(i).index], slot_of(i).segment});
    job.count += ends_record(slot_of(i)) ? 1U : 0U;
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
    job.late.push_back({.row = record.row,
                        .status = Status::kRejected,
                        .defect = late.defect,
                        .duplicate_of = std::nullopt,
                        .hash = std::nullopt});
  }
  for (const prepare::Assembled::Duplicate& duplicate : assembled.duplicates) {
    job.late.push_back({.row = rows[duplicate.index].prepared->record.row,
                        .status = Status::kDuplicate,
                        .defect = std::nullopt,
                        .duplicate_of = duplicate.of,
                        .hash = std::nullopt});
  }
}

std::optional<BatchJob> BatchSource::next() {
  if (!window_ && !read_window()) {
    return std::nullopt;
  }
  BatchJob job;
  job.window = window_;
  job.first = records_;
  if (position_ < window_->order.size()) {
    const plan::BatchLimits limits{.rows = cut_.rows,
                                   .tokens = cut_.tokens,
                                   .budget = governor_.budget(window_->order[position_].width),
                                   .work = time_budget_.load(std::memory_order_relaxed),
                                   .concurrency = cut_.concurrency};
    for (const plan::Part& part : cut_batch(window_->order, position_, cut_.parts, limits)) {
      assemble(part, job);
      position_ += part.count;
    }
    records_ += job.count;
  }
  job.last = position_ >= window_->order.size();
  if (job.last) {
    window_.reset();
  }
  return job;
}

}  // namespace longhaul::run
