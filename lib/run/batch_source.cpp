#include "run/batch_source.hpp"

#include <limits>
#include <span>
#include <utility>
#include <vector>

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
  for (const prepare::Prepared& prepared : window->records) {
    if (prepared.defect) {
      rejects_.rejected(prepared.record, *prepared.defect);
    } else if (prepared.looks_like_nucleotides) {
      rejects_.accepted_as_nucleotides(prepared.record);
    } else {
      rejects_.accepted();
    }
  }
  window_.emplace(std::move(*window), cut_.parts, skip_);
  skip_ = 0;
  return true;
}

void BatchSource::assemble(const plan::Part& part, BatchJob& job) {
  std::vector<prepare::Row> rows;
  rows.reserve(part.count);
  const std::span<const plan::Slot> slots = window_->slots_of(part);
  for (const plan::Slot& slot : slots) {
    rows.push_back({&window_->window().records[slot.index], slot.segment});
  }
  prepare::Assembled assembled = preprocessor_.assemble(rows, part.width, part.rows);
  for (const std::uint32_t index : assembled.accepted) {
    job.records.push_back(slots[index].index);
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
  job.work.computed.add(part.width, part.rows);
}

std::optional<BatchJob> BatchSource::next() {
  if (!window_ && !read_window()) {
    return std::nullopt;
  }
  BatchJob job;
  if (window_->has_slots()) {
    const plan::BatchLimits limits{.rows = cut_.rows,
                                   .tokens = cut_.tokens,
                                   .budget = governor_.budget(window_->next_width()),
                                   .work = time_budget_.load(std::memory_order_relaxed),
                                   .concurrency = cut_.concurrency};
    for (const plan::Part& part : window_->cut(limits)) {
      assemble(part, job);
    }
  }
  window_->pass_to_next_part(job, repeated_);
  job.records_total = job.window->ends_input ? job.window->end.row : windows_.records_total();
  if (job.last) {
    window_.reset();
  }
  return job;
}

}  // namespace longhaul::run
