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
  position_ = std::min<std::size_t>(skip_, window_->order.size());
  skip_ = 0;
  return true;
}

void BatchSource::assemble(const plan::Part& part, BatchJob& job) {
  std::vector<prepare::Prepared*> records;
  records.reserve(part.count);
  const auto index_of = [&](std::uint32_t i) { return window_->order[part.first + i].index; };
  for (std::uint32_t i = 0; i < part.count; ++i) {
    records.push_back(&window_->records[index_of(i)]);
  }
  prepare::Assembled assembled = preprocessor_.assemble(records, part.width, part.rows);
  for (const std::uint32_t index : assembled.accepted) {
    job.records.push_back(index_of(index));
  }
  if (!assembled.accepted.empty()) {
    job.parts.push_back(std::move(assembled.batch));
  }
  for (const prepare::Assembled::Late& late : assembled.rejected) {
    rejects_.rejected_late(records[late.index]->record, late.defect);
    job.late.push_back({.row = records[late.index]->record.row,
                        .status = Status::kRejected,
                        .defect = late.defect,
                        .duplicate_of = std::nullopt,
                        .hash = std::nullopt});
  }
  for (const prepare::Assembled::Duplicate& duplicate : assembled.duplicates) {
    job.late.push_back({.row = records[duplicate.index]->record.row,
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
  job.first = static_cast<std::uint32_t>(position_);
  if (position_ < window_->order.size()) {
    const plan::BatchLimits limits{.rows = cut_.rows,
                                   .tokens = cut_.tokens,
                                   .budget = governor_.budget(window_->order[position_].width),
                                   .work = time_budget_.load(std::memory_order_relaxed),
                                   .concurrency = cut_.concurrency};
    for (const plan::Part& part : cut_batch(window_->order, position_, cut_.parts, limits)) {
      assemble(part, job);
      job.count += part.count;
    }
    position_ += job.count;
  }
  job.last = position_ >= window_->order.size();
  if (job.last) {
    window_.reset();
  }
  return job;
}

}  // namespace longhaul::run
