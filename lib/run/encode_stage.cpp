#include "run/encode_stage.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "run/stopwatch.hpp"

namespace longhaul::run {
namespace {

constexpr std::uint32_t kFirstBatchTokens =
    512;                       // the first batch of a session only measures the speed
constexpr double kGrowth = 4;  // of the time budget, from one batch to the next

// Records that have a vector, those done of the window in hand, and those that never will.
FiniteShare share_before(const std::optional<store::Progress>& from) {
  if (!from) {
    return {0, 0};
  }
  const Counters counters = counters_from_json(from->counters);
  return {counters.ok + from->position + counters.stayed_not_finite, counters.stayed_not_finite};
}

}  // namespace

EncodeStage::EncodeStage(const PipelineParts& parts, const PipelineSettings& settings,
                         const PipelineHooks& hooks, const std::optional<store::Progress>& from,
                         RejectPolicy& rejects, BatchSource& source, RunReport& report)
    : parts_(parts),
      settings_(settings),
      hooks_(hooks),
      rejects_(rejects),
      source_(source),
      report_(report),
      encoder_(parts.encoder, hooks.fp32_fallback, parts.governor, parts.log),
      gatherer_(parts.encoder.outputs(), settings.normalize),
      finite_(share_before(from)),
      memory_(parts, hooks),
      progress_(hooks.now) {
  source_.set_time_budget(plan::cost_per_row(kFirstBatchTokens));
}

void EncodeStage::start() {
  memory_.observe(report_.batches, report_.records);
  progress_.start();
}

EncodedJob EncodeStage::encode(BatchJob job) {
  EncodedJob encoded{.window = std::move(job.window),
                     .first = job.first,
                     .count = job.count,
                     .rows = EncodedRows(),
                     .records = std::move(job.records),
                     .has_vector = {},
                     .taken = std::move(job.taken),
                     .reshaped = 0,
                     .computed_alone = 0,
                     .stayed_not_finite = 0,
                     .late = std::move(job.late),
                     .work = std::move(job.work),
                     .last = job.last,
                     .records_total = job.records_total};
  if (encoded.records.empty()) {
    return encoded;
  }
  double took = 0;
  BatchEncoder::Result result;
  {
    const Stopwatch encoding(hooks_.now, took);
    result = encoder_.encode(job.parts);
  }
  count(job.parts, took);
  gather(job.rows, encoded, result);
  finite_.add(encoded.records.size(), result.stayed_not_finite);
  report_.records += encoded.records.size();
  for (BatchEncoder::Failure& failure : result.failures) {
    reject(encoded, std::move(failure));
  }
  encoded.rows = std::move(result.rows);
  encoded.reshaped = result.reshaped;
  encoded.computed_alone = result.computed_alone;
  encoded.stayed_not_finite = result.stayed_not_finite;
  const bool due =
      settings_.clear_cache_every > 0 && report_.batches % settings_.clear_cache_every == 0;
  if (due || parts_.governor.near_limit()) {
    release_cache();
  }
  memory_.observe(report_.batches, report_.records);
  return encoded;
}

// A row a record from here on.
void EncodeStage::gather(std::span<const prepare::Row> rows, EncodedJob& job,
                         BatchEncoder::Result& result) {
  if (std::any_of(rows.begin(), rows.end(),
                  [](const prepare::Row& row) { return row.prepared->segments > 0; })) {
    std::vector<std::uint32_t> records;
    for (const std::uint32_t row : gatherer_.gather(rows, result)) {
      records.push_back(job.records[row]);
    }
    job.records = std::move(records);
  }
  job.has_vector.assign(job.records.size(), true);
}

void EncodeStage::count(const std::vector<encode::HostBatch>& parts, double seconds) {
  report_.seconds_encoding += seconds;
  ++report_.batches;
  report_.out_of_memory = encoder_.out_of_memory_count();
  report_.not_finite = encoder_.not_finite_count();
  progress_.batch(parts);
  double cost = 0;
  std::set<std::uint32_t> widths;
  for (const encode::HostBatch& part : parts) {
    report_.tokens_real +=
        std::accumulate(part.lengths.begin(), part.lengths.end(), std::uint64_t{0});
    report_.tokens_computed += std::uint64_t{part.rows} * part.width;
    cost += cost_of(part);
    widths.insert(part.width);
  }
  memory_.computed(widths);
  const double in_time =
      cost / std::max(seconds, 1e-6) * std::chrono::duration<double>(settings_.batch_time).count();
  time_budget_ = std::min(in_time, std::max(time_budget_, cost) * kGrowth);
  source_.set_time_budget(time_budget_);
}

void EncodeStage::reject(EncodedJob& job, BatchEncoder::Failure failure) {
  const Record& record = job.window->records[job.records[failure.row]].record;
  job.has_vector[failure.row] = false;
  rejects_.rejected_late(record, failure.defect);
  job.late.push_back(late_reject(record.row, std::move(failure.defect)));
}

void EncodeStage::release_cache() {
  const Stopwatch clearing(hooks_.now, report_.seconds_clearing);
  parts_.encoder.device().release_cache();
  ++report_.cache_clears;
}

void EncodeStage::finish(std::optional<RunSnapshot> last) {
  release_cache();
  if (!hooks_.read_memory || !last) {
    return;
  }
  memory_.read(report_.batches, report_.records);
  last->memory = memory_.latest();
  if (hooks_.progress) {
    hooks_.progress(*last);
  }
}

RunSnapshot EncodeStage::snapshot(const EncodedJob& job) {
  RunSnapshot snapshot = progress_.after(job);
  snapshot.records_rejected = rejects_.rejected_count();
  snapshot.batches = report_.batches;
  snapshot.memory = memory_.latest();
  return snapshot;
}

}  // namespace longhaul::run
