#include "run/pipeline.hpp"

#include <algorithm>
#include <exception>
#include <map>
#include <numeric>
#include <set>

#include "base/bounded_queue.hpp"
#include "base/start_thread.hpp"
#include "run/batch_encoder.hpp"
#include "run/batch_source.hpp"
#include "run/jobs.hpp"
#include "run/window_writer.hpp"

namespace longhaul::run {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t kBatchesAhead = 2;
constexpr auto kWriterPatience = 200ms;
constexpr auto kGraceForBatch = 8s;  // after a stop; schedulers kill after 30 s at the latest
constexpr auto kMemoryReadingEvery = 20ms;
constexpr std::uint32_t kFirstBatchTokens =
    512;                       // the first batch of a session only measures the speed
constexpr double kGrowth = 4;  // of the time budget, from one batch to the next

double seconds(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// Rows that have a vector, rows of the window in hand, and those that never will.
BatchEncoder::Before encoded_before(const std::optional<store::Progress>& from) {
  if (!from) {
    return {};
  }
  const Counters counters = counters_from_json(from->counters);
  return {.rows = counters.ok + from->position + counters.stayed_not_finite,
          .stayed_not_finite = counters.stayed_not_finite};
}

// Adds the time until its end to a counter.
class Stopwatch {
 public:
  Stopwatch(const PipelineHooks& hooks, double& counter)
      : hooks_(hooks), counter_(counter), start_(hooks.now()) {}
  ~Stopwatch() { counter_ += seconds(hooks_.now() - start_); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  const PipelineHooks& hooks_;
  double& counter_;
  const Clock::time_point start_;
};

// Runs `work` in a thread of its own and keeps what it throws.
class Stage {
 public:
  template <typename Work>
  explicit Stage(Work work)
      : thread_(start_thread([this, work = std::move(work)] {
          try {
            work();
          } catch (...) {
            error_ = std::current_exception();
          }
        })) {}
  ~Stage() { join(); }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  void join() {
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  // After join().
  void rethrow() const {
    if (error_) {
      std::rethrow_exception(error_);
    }
  }

 private:
  std::exception_ptr error_;
  std::thread thread_;
};

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
                             from ? from->window : 0),
                parts.preprocessor, parts.governor,
                {.parts = settings.parts,
                 .rows = settings.batch_rows,
                 .tokens = settings.batch_tokens,
                 .concurrency = parts.encoder.concurrency()},
                rejects_, from ? from->position : 0),
        encoder_(parts.encoder, hooks.fp32_fallback, parts.governor, parts.log,
                 encoded_before(from)),
        writer_(parts.store,
                {settings.commit_every, settings.commit_inside_windows, settings.copy_to_duplicates,
                 hooks.recall_ids,
                 [this](const Record& record, const Defect& defect) {
                   rejects_.rejected_late(record, defect);
                 }},
                hooks.now, from),
        batches_(kBatchesAhead),
        results_(kBatchesAhead) {
    source_.set_time_budget(plan::cost_per_row(kFirstBatchTokens));
  }

  RunReport run() {
    rejects_.start();
    {
      const Stopwatch total(hooks_, report_.seconds_total);
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
      release_cache();
      observe_end();
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
    report_.commits = writer_.commits();
    report_.seconds_committing = writer_.seconds_committing();
    report_.out_of_memory = encoder_.out_of_memory_count();
    report_.not_finite = encoder_.not_finite_count();
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
    const Stopwatch waiting(hooks_, report_.seconds_waiting_for_input);
    return batches_.pop();
  }

  void encode_loop() {
    // The first reading is the baseline of the leak monitor and the governor.
    observe_memory();
    while (!should_end()) {
      std::optional<BatchJob> job = next_job();
      if (!job) {
        return;
      }
      EncodedJob encoded = encode(std::move(*job));
      const RunSnapshot snapshot = count(encoded);
      {
        const Stopwatch waiting(hooks_, report_.seconds_waiting_for_output);
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
    if (stop_requested() || leak_action_ == LeakAction::kStop) {
      report_.end = RunEnd::kInterrupted;
      return true;
    }
    if (leak_action_ == LeakAction::kRecycle ||
        (settings_.stop_after_batches && report_.batches >= *settings_.stop_after_batches)) {
      report_.end = RunEnd::kRecycle;
      return true;
    }
    return false;
  }

  EncodedJob encode(BatchJob job) {
    EncodedJob encoded{.window = std::move(job.window),
                       .first = job.first,
                       .count = job.count,
                       .rows = EncodedRows(),
                       .records = std::move(job.records),
                       .has_vector = {},
                       .reshaped = 0,
                       .computed_alone = 0,
                       .stayed_not_finite = 0,
                       .late = std::move(job.late),
                       .last = job.last};
    encoded.has_vector.assign(encoded.records.size(), true);
    if (encoded.records.empty()) {
      return encoded;
    }
    const Clock::time_point start = hooks_.now();
    BatchEncoder::Result result = encoder_.encode(job.parts);
    const double took = seconds(hooks_.now() - start);
    report_.seconds_encoding += took;
    ++report_.batches;
    report_.records += encoded.records.size();
    last_rows_ = 0;
    last_width_ = 0;
    double work = 0;
    std::set<std::uint32_t> widths;
    for (const encode::HostBatch& part : job.parts) {
      report_.tokens_real +=
          std::accumulate(part.lengths.begin(), part.lengths.end(), std::uint64_t{0});
      report_.tokens_computed += std::uint64_t{part.rows} * part.width;
      last_rows_ += part.used_rows;
      last_width_ = std::max(last_width_, part.width);
      work += cost_of(part);
      widths.insert(part.width);
    }
    for (BatchEncoder::Failure& failure : result.failures) {
      const Record& record = encoded.window->records[encoded.records[failure.row]].record;
      encoded.has_vector[failure.row] = false;
      rejects_.rejected_late(record, failure.defect);
      encoded.late.push_back({.row = record.row,
                              .status = Status::kRejected,
                              .defect = std::move(failure.defect),
                              .duplicate_of = std::nullopt,
                              .hash = std::nullopt});
    }
    encoded.rows = std::move(result.rows);
    encoded.reshaped = result.reshaped;
    encoded.computed_alone = result.computed_alone;
    encoded.stayed_not_finite = result.stayed_not_finite;
    adapt_time_budget(work, took);
    for (const std::uint32_t width : widths) {
      ++widths_seen_[width];
    }
    const bool due =
        settings_.clear_cache_every > 0 && report_.batches % settings_.clear_cache_every == 0;
    if (due || parts_.governor.near_limit()) {
      release_cache();
    }
    observe_memory();
    return encoded;
  }

  void adapt_time_budget(double cost, double took) {
    const double in_time = cost / std::max(took, 1e-6) * seconds(settings_.batch_time);
    time_budget_ = std::min(in_time, std::max(time_budget_, cost) * kGrowth);
    source_.set_time_budget(time_budget_);
  }

  void release_cache() {
    const Stopwatch clearing(hooks_, report_.seconds_clearing);
    parts_.encoder.device().release_cache();
    ++report_.cache_clears;
  }

  void observe_memory() {
    if (!hooks_.read_memory) {
      return;
    }
    const Clock::time_point now = hooks_.now();
    if (!last_reading_ || now - *last_reading_ >= kMemoryReadingEvery) {
      last_reading_ = now;
      read_memory();
    }
  }

  // What is left when all is done, which the last batch's reading need not show.
  void observe_end() {
    if (hooks_.read_memory && last_snapshot_) {
      read_memory();
      last_snapshot_->memory = memory_;
      if (hooks_.progress) {
        hooks_.progress(*last_snapshot_);
      }
    }
  }

  void read_memory() {
    memory_ = hooks_.read_memory();
    parts_.governor.observe(memory_);
    const bool warm = std::all_of(widths_seen_.begin(), widths_seen_.end(),
                                  [](const auto& seen) { return seen.second >= 2; });
    parts_.leaks.sample(report_.batches, report_.records, warm, memory_);
    if (const std::optional<std::string> warning = parts_.leaks.take_warning()) {
      suspect_leak(*warning);
    }
    if (!limit_told_ && parts_.governor.limit_stays_reached()) {
      limit_told_ = true;
      limit_stays_reached();
    }
  }

  // Starting anew at once again and again would help nobody.
  void limit_stays_reached() {
    const std::string text = "memory stays at its limit though caches were released";
    if (parts_.governor.fresh_process_has_room()) {
      suspect_leak(text);
    } else {
      parts_.log.warning(text + ", and was there from the start: raise it, or use a smaller model");
    }
  }

  void suspect_leak(const std::string& warning) {
    parts_.log.warning(warning);
    if (hooks_.leak_suspected) {
      leak_action_ = hooks_.leak_suspected(warning);
    }
  }

  RunSnapshot count(const EncodedJob& job) {
    RunSnapshot snapshot;
    snapshot.records_done =
        job.last ? job.window->end.row : job.window->start.row + job.first + job.count;
    snapshot.records_rejected = rejects_.rejected_count();
    snapshot.batches = report_.batches;
    snapshot.batch_rows = last_rows_;
    snapshot.batch_width = last_width_;
    snapshot.input = job.window->progress;
    // Reading is ahead: of the bytes read, the share that is encoded.
    if (const std::uint64_t read = job.window->end.row; read > 0) {
      snapshot.input.bytes_read = static_cast<std::uint64_t>(
          static_cast<double>(snapshot.input.bytes_read) *
          static_cast<double>(snapshot.records_done) / static_cast<double>(read));
    }
    snapshot.memory = memory_;
    return snapshot;
  }

  const PipelineParts& parts_;
  const PipelineSettings& settings_;
  const PipelineHooks& hooks_;
  RejectPolicy rejects_;
  BatchSource source_;    // the prepare thread's
  BatchEncoder encoder_;  // the caller's thread
  WindowWriter writer_;   // the write thread's, until it is joined
  BoundedQueue<BatchJob> batches_;
  BoundedQueue<EncodedJob> results_;
  RunReport report_;
  LeakAction leak_action_ = LeakAction::kContinue;
  bool limit_told_ = false;
  double time_budget_ = 0;
  std::map<std::uint32_t, std::uint64_t> widths_seen_;
  std::uint32_t last_rows_ = 0;
  std::uint32_t last_width_ = 0;
  std::optional<Clock::time_point> last_reading_;
  std::optional<RunSnapshot> last_snapshot_;
  device::MemoryReading memory_;
};

}  // namespace

RunReport run_pipeline(const PipelineParts& parts, const PipelineSettings& settings,
                       const PipelineHooks& hooks, const std::optional<store::Progress>& from) {
  return Pipeline(parts, settings, hooks, from).run();
}

}  // namespace longhaul::run
