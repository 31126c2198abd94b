// Puts encoded batches into the store, completes windows and commits in time.
// The writer's thread; borrows the store.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "domain/counters.hpp"
#include "run/commits.hpp"
#include "run/jobs.hpp"
#include "run/repeated_ids.hpp"

namespace longhaul::run {

// The line that a record has in records.csv, and in rejects.csv; `late`: what became of records of
// its window after they were measured, by row.
RecordRow row_of(const prepare::Prepared& prepared,
                 const std::map<std::uint64_t, LateOutcome>& late = {});

class WindowWriter {
 public:
  using Clock = Commits::Clock;

  struct Settings {
    std::chrono::milliseconds commit_every{5000};
    bool commit_inside_windows = true;
    bool copy_to_duplicates = false;  // the vector of the row they repeat; else they have none
    // Gives the ids that earlier sessions completed to RepeatedIds. Called once, with the first
    // window that is completed, so that no batch waits for it.
    std::function<void(RepeatedIds&)> recall_ids = {};
    // Told of each vector that the store cannot take. What it throws is thrown by write().
    std::function<void(const Record&, const Defect&)> rejected = {};
    OlderRows* older = nullptr;  // where the rows are that jobs take
    // Of earlier sessions, see without_vector_.
    std::map<std::uint64_t, Defect> without_vector = {};
  };

  // `from` is what an earlier session committed.
  WindowWriter(store::EmbeddingStore& store, const Settings& settings,
               std::function<Clock::time_point()> now, const std::optional<store::Progress>& from);

  void write(EncodedJob job);
  // Commits when it is time to.
  void commit_if_due();
  // Commits what is not committed yet.
  void commit();

  const Counters& counters() const { return counters_; }
  std::uint64_t rows_complete() const { return rows_complete_; }
  // Vectors that a next session need not compute.
  std::uint64_t embedded_committed() const { return embedded_committed_; }
  const Commits& commits() const { return commits_; }

 private:
  // Records that the encoder gave nothing that can be stored.
  using Refused = std::vector<std::pair<const Record*, Defect>>;

  // What is placed once, with the first batch of it that is written.
  void place(const Window& window);
  void take(const EncodedJob& job);
  void complete(const Window& window, Refused& refused);
  void count_reuse(const Standing& standing);
  std::uint64_t embedded(std::uint64_t position) const;
  void put(EncodedJob& job, Refused& refused);
  // What repeats a record that has no vector is rejected as that one was.
  void settle_duplicate(const Record& record, LateOutcome& outcome, Refused& refused);
  void write_duplicate(const LateOutcome& outcome);
  void keep(const LateOutcome& outcome);

  store::EmbeddingStore& store_;
  const Settings settings_;
  Commits commits_;
  Counters counters_;
  RepeatedIds ids_;
  bool ids_recalled_ = false;
  std::optional<std::uint64_t> placed_;  // index of the last window that was
  std::uint64_t rows_complete_ = 0;
  std::uint64_t embedded_committed_ = 0;
  std::vector<LateOutcome> late_uncommitted_;  // of the window in hand, for the next commit
  std::map<std::uint64_t, LateOutcome> late_;  // of the window in hand, by row
  // Rows that later records can repeat and to which the encoder gave nothing that can be stored.
  std::map<std::uint64_t, Defect> without_vector_;
};

}  // namespace longhaul::run
