// What the caller's thread does with each batch: encodes it, counts, learns how much fits in time,
// clears the device's caches and watches memory. Queues and threads are the pipeline's.
// One thread; borrows all. Throws Error; DeviceOutOfMemory never.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "run/batch_encoder.hpp"
#include "run/batch_source.hpp"
#include "run/finite_share.hpp"
#include "run/jobs.hpp"
#include "run/memory_watch.hpp"
#include "run/pipeline.hpp"
#include "run/progress_meter.hpp"
#include "run/record_gatherer.hpp"
#include "run/reject_policy.hpp"

namespace longhaul::run {

class EncodeStage {
 public:
  // Counts in `report`, and tells `source` what a batch may cost.
  EncodeStage(const PipelineParts& parts, const PipelineSettings& settings,
              const PipelineHooks& hooks, const std::optional<store::Progress>& from,
              RejectPolicy& rejects, BatchSource& source, RunReport& report);

  // Before the first batch: this reading is the baseline of the leak monitor and the governor.
  void start();
  EncodedJob encode(BatchJob job);
  // Once for each job that encode() gave.
  RunSnapshot snapshot(const EncodedJob& job);
  // What is left when all is done, which the last batch's reading need not show; `last` is then
  // told once more.
  void finish(std::optional<RunSnapshot> last);
  // Whether memory is a reason to end the session.
  LeakAction leak_action() const { return memory_.action(); }

 private:
  void count(const std::vector<encode::HostBatch>& parts, double seconds);
  void gather(std::span<const prepare::Row> rows, EncodedJob& job, BatchEncoder::Result& result);
  void reject(EncodedJob& job, BatchEncoder::Failure failure);
  void release_cache();

  const PipelineParts& parts_;
  const PipelineSettings& settings_;
  const PipelineHooks& hooks_;
  RejectPolicy& rejects_;
  BatchSource& source_;
  RunReport& report_;
  BatchEncoder encoder_;
  RecordGatherer gatherer_;
  FiniteShare finite_;
  MemoryWatch memory_;
  ProgressMeter progress_;
  double time_budget_ = 0;
};

}  // namespace longhaul::run
