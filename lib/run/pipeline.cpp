#include "run/pipeline.hpp"

#include <exception>
#include <utility>

#include "base/bounded_queue.hpp"
#include "run/batch_source.hpp"
#include "run/encode_stage.hpp"
#include "run/jobs.hpp"
#include "run/stage.hpp"
#include "run/stopwatch.hpp"
#include "run/window_writer.hpp"

namespace longhaul::run {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t kBatchesAhead = 2;
constexpr auto kWriterPatience = 200ms;
constexpr auto kGraceForBatch = 8s;  // after a stop; schedulers kill after 30 s at the latest

class Pipeline {
 public:
  Pipeline(const PipelineParts& parts, const PipelineSettings& settings, const PipelineHooks& hooks,
           const std::optional<store::Progress>& from)
      : parts_(parts),
        settings_(settings),
        hooks_(hooks),
        rejects_(settings.rejects, from ? from->window_start : 0,
                 from ? rejected_so_far(counters_from_json(from->counters), from->late) : 0,
                 parts.log),
        source_(WindowSource(parts.reader, parts.preprocessor, settings.window,
                             from ? from->window : 0, parts.older, hooks.repeated),
                parts.preprocessor, parts.governor,
                {.parts = settings.parts,
                 .rows = settings.batch_rows,
                 .tokens = settings.batch_tokens,
                 .concurrency = parts.encoder.concurrency()},
                rejects_, from ? from->position : 0, hooks.repeated),
        encoder_(parts, settings, hooks, from, rejects_, source_, report_),
        writer_(parts.store,
                {settings.commit_every, settings.commit_inside_windows, settings.copy_to_duplicates,
                 hooks.recall_ids,
                 [this](const Record& record, const Defect& defect) {
                   rejects_.rejected_late(record, defect);
                 },
                 parts.older, hooks.without_vector},
                hooks.now, from),
        batches_(kBatchesAhead),
        results_(kBatchesAhead) {}

  RunReport run() {
    rejects_.start();
    {
      const Stopwatch total(hooks_.now, report_.seconds_total);
      std::exception_ptr error;
      Stage write([this] { write_loop(); });
      std::optional<Stage> prepare;
      try {
        prepare.emplace([this] { prepare_loop(); });
        encode_loop();
      } catch (...) {
        error = std::current_exception();
      }
      batches_.abandon();
      if (prepare) {
        prepare->join();
      }
      results_.close();
      write.join();
      // What a failing writer threw is the cause of everything after it.
      write.rethrow();
      if (error) {
        std::rethrow_exception(error);
      }
      prepare->rethrow();
      encoder_.finish(last_snapshot_);
    }
    report_.counters = writer_.counters();
    if (report_.end == RunEnd::kComplete) {
      rejects_.finish(report_.counters.records, report_.counters.rejected);
    }
    if (report_.end == RunEnd::kComplete) {
      // What comes after the last record too.
      report_.counters.left_out = parts_.reader.left_out();
    }
    report_.rows = writer_.rows_complete();
    report_.embedded = writer_.embedded_committed();
    report_.commits = writer_.commits().count();
    report_.seconds_committing = writer_.commits().seconds();
    return report_;
  }

 private:
  bool stop_requested() const { return hooks_.stop_requested && hooks_.stop_requested(); }

  void prepare_loop() {
    try {
      while (std::optional<BatchJob> job = source_.next()) {
        if (!batches_.push(std::move(*job))) {
          return;
        }
      }
    } catch (...) {
      batches_.close();  // what was prepared before the failure is still encoded
      throw;
    }
    batches_.close();
  }

  void write_loop() {
    try {
      std::optional<Clock::time_point> stop_seen;
      while (true) {
        if (std::optional<EncodedJob> job = results_.pop_for(kWriterPatience)) {
          writer_.write(std::move(*job));
          continue;
        }
        if (results_.finished()) {
          break;
        }
        writer_.commit_if_due();
        if (!stop_requested()) {
          continue;
        }
        stop_seen = stop_seen.value_or(hooks_.now());
        if (hooks_.abandon && hooks_.now() - *stop_seen > kGraceForBatch) {
          writer_.commit();
          hooks_.abandon();
        }
      }
      writer_.commit();
    } catch (...) {
      results_.abandon();  // the encoder's thread stops at its next batch
      throw;
    }
  }

  std::optional<BatchJob> next_job() {
    const Stopwatch waiting(hooks_.now, report_.seconds_waiting_for_input);
    return batches_.pop();
  }

  void encode_loop() {
    encoder_.start();
    while (!should_end()) {
      std::optional<BatchJob> job = next_job();
      if (!job) {
        return;
      }
      EncodedJob encoded = encoder_.encode(std::move(*job));
      got_on_ = got_on_ || encoded.last || (settings_.commit_inside_windows && encoded.count > 0);
      const RunSnapshot snapshot = encoder_.snapshot(encoded);
      {
        const Stopwatch waiting(hooks_.now, report_.seconds_waiting_for_output);
        if (!results_.push(std::move(encoded))) {
          return;
        }
      }
      if (hooks_.progress) {
        hooks_.progress(snapshot);
      }
      last_snapshot_ = snapshot;
    }
  }

  bool should_end() {
    if (stop_requested() || encoder_.leak_action() == LeakAction::kStop) {
      report_.end = RunEnd::kInterrupted;
      return true;
    }
    // A session that adds nothing would be begun again for ever.
    if (got_on_ &&
        (encoder_.leak_action() == LeakAction::kRecycle ||
         (settings_.stop_after_batches && report_.batches >= *settings_.stop_after_batches))) {
      report_.end = RunEnd::kRecycle;
      return true;
    }
    return false;
  }

  const PipelineParts& parts_;
  const PipelineSettings& settings_;
  const PipelineHooks& hooks_;
  RunReport report_;
  RejectPolicy rejects_;
  BatchSource source_;   // the prepare thread's
  EncodeStage encoder_;  // the caller's thread
  WindowWriter writer_;  // the write thread's, until it is joined
  BoundedQueue<BatchJob> batches_;
  BoundedQueue<EncodedJob> results_;
  std::optional<RunSnapshot> last_snapshot_;
  bool got_on_ = false;  // a record was completed, which a commit can claim
};

}  // namespace

RunReport run_pipeline(const PipelineParts& parts, const PipelineSettings& settings,
                       const PipelineHooks& hooks, const std::optional<store::Progress>& from) {
  return Pipeline(parts, settings, hooks, from).run();
}

}  // namespace longhaul::run
