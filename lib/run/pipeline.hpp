// The loop: prepare, encode and write, each in its own thread, joined by bounded queues.
//   prepare  reads windows, cuts batches from their order and assembles them
//   encode   the caller's thread: encodes, splits what does not fit, checks that it is finite
//   write    puts rows, completes windows, commits
// The first failure ends all three; what was encoded before it is committed, then it is rethrown.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "base/log.hpp"
#include "device/leak_monitor.hpp"
#include "device/memory_reading.hpp"
#include "domain/counters.hpp"
#include "encode/encoder.hpp"
#include "input/record_reader.hpp"
#include "plan/memory_governor.hpp"
#include "prepare/preprocessor.hpp"
#include "run/forecast.hpp"
#include "run/reject_policy.hpp"
#include "run/repeated_ids.hpp"
#include "run/window_source.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::run {

// How far a run is. Copied to whoever shows it.
struct RunSnapshot {
  std::uint64_t records_done = 0;  // over all sessions
  std::uint64_t records_rejected = 0;
  std::uint64_t batches = 0;  // of this session
  std::uint32_t batch_rows = 0;
  std::uint32_t batch_width = 0;  // of its widest part
  input::InputProgress input;     // bytes of what is encoded, scaled from reading
  device::MemoryReading memory;
  std::optional<TimeLeft> time_left;
  double seconds_at_work = 0;  // of this session, without those in which the process was stopped
};

struct PipelineSettings {
  WindowSettings window;
  plan::RowsPolicy parts;                   // what is computed together, and so the bits
  std::optional<std::uint32_t> batch_rows;  // in hand at a time, in whole parts
  std::optional<std::uint64_t> batch_tokens;
  Normalize normalize = Normalize::kNone;  // of what is pooled from several windows of a record
  bool commit_inside_windows = true;
  bool copy_to_duplicates = false;  // an exact duplicate has the vector of the row it repeats
  std::chrono::milliseconds commit_every{5000};
  std::uint64_t clear_cache_every = 10;
  std::chrono::milliseconds batch_time{2000};  // longer batches are cut, so that a stop is quick
  RejectLimits rejects;
  std::optional<std::uint64_t> stop_after_batches;  // ends the session as if interrupted: recycling
};

enum class LeakAction { kContinue, kStop, kRecycle };

// The outside world: clock, stop flag, observers. All may be empty but `now`.
struct PipelineHooks {
  std::function<std::chrono::steady_clock::time_point()> now;
  std::function<bool()> stop_requested;
  // A batch was still running 8 s after a stop was asked for; all before it is committed.
  std::function<void()> abandon;
  std::function<device::MemoryReading()> read_memory;  // host and device, plausible values only
  std::function<void(const RunSnapshot&)> progress;    // after each batch, encode's thread
  // Memory started to grow with the batches: what to do. Empty: continue.
  std::function<LeakAction(const std::string& warning)> leak_suspected;
  // Gives the ids of the rows that earlier sessions completed; called in the writer's thread.
  std::function<void(RepeatedIds&)> recall_ids = {};
  // The encoder in float32, for rows that came out non-finite at a lower precision.
  std::function<encode::Encoder&()> fp32_fallback;
  // Where duplicates are looked for; the prepare thread's.
  RepeatedRow repeated = {};
  // Rows that earlier sessions rejected when they had been compared: see WindowWriter.
  std::map<std::uint64_t, Defect> without_vector = {};
};

struct PipelineParts {
  input::RecordReader& reader;
  const prepare::Preprocessor& preprocessor;
  encode::Encoder& encoder;
  store::EmbeddingStore& store;
  plan::MemoryGovernor& governor;
  device::LeakMonitor& leaks;
  Log& log;
  OlderRows* older = nullptr;  // whose rows are taken; null: all are computed
};

enum class RunEnd { kComplete, kInterrupted, kRecycle };

struct RunReport {
  RunEnd end = RunEnd::kComplete;
  Counters counters;           // over all sessions, of whole windows
  std::uint64_t rows = 0;      // records committed, of whole windows
  std::uint64_t embedded = 0;  // vectors committed over all sessions, of the window in hand too
  std::uint64_t batches = 0;   // of this session, like all below
  std::uint64_t records = 0;
  std::uint64_t tokens_real = 0;  // special tokens included
  std::uint64_t tokens_computed = 0;
  std::uint64_t out_of_memory = 0;
  std::uint64_t not_finite = 0;
  std::uint64_t cache_clears = 0;
  std::uint64_t commits = 0;
  double seconds_total = 0;
  double seconds_encoding = 0;
  double seconds_waiting_for_input = 0;  // the encoder's thread, idle
  double seconds_waiting_for_output = 0;
  double seconds_clearing = 0;
  double seconds_committing = 0;  // the writer's thread
};

// Runs from `from` (nothing: the beginning; the reader must stand there) to the end of the input or
// a stop. Throws Error, DeviceOutOfMemory never.
RunReport run_pipeline(const PipelineParts& parts, const PipelineSettings& settings,
                       const PipelineHooks& hooks, const std::optional<store::Progress>& from);

}  // namespace longhaul::run
