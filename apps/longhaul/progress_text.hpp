// How far a run is, and the texts that say so. Pure; any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace longhaul::app {

// Counts include what earlier sessions did; seconds are this session's.
struct ProgressSnapshot {
  std::uint64_t records_done = 0;
  std::optional<std::uint64_t> records_total;
  std::uint64_t bytes_read = 0;
  std::optional<std::uint64_t> bytes_total;
  std::uint64_t rejected = 0;
  std::uint64_t batches = 0;
  std::uint32_t batch_rows = 0;  // of the latest batch
  std::uint32_t width = 0;       // its padded length; 0 for images
  std::optional<std::uint64_t> rss;
  std::optional<std::uint64_t> device_allocated;
  double elapsed = 0;
  double at_work = 0;  // of these, without those in which the process was stopped
  std::optional<double> seconds_left;
  bool left_is_approximate = false;
};

// Records a second, by the snapshots of the last half minute at work.
class PaceMeter {
 public:
  std::optional<double> add(const ProgressSnapshot& snapshot);
  // Over the whole session, from the first snapshot on.
  std::optional<double> average(const ProgressSnapshot& snapshot) const;

 private:
  struct Mark {
    double at = 0;
    std::uint64_t records = 0;
  };
  static std::optional<double> rate_between(const Mark& first, const Mark& last);

  std::deque<Mark> marks_;
  std::optional<Mark> first_;
};

// Share done, from 0 to 1: by records where their number is known, else by bytes read.
std::optional<double> share_done(const ProgressSnapshot& snapshot);

// One line no wider than `columns`; what matters least is left out first.
std::string bar_text(const ProgressSnapshot& snapshot, std::optional<double> rate,
                     unsigned columns);
// "10,496 of 25,007 records (42 %), 27.6/s, ETA 8m 45s, batch 32 x 128, RSS 612 MiB"
std::string line_text(const ProgressSnapshot& snapshot, std::optional<double> rate);
// One JSON object; null for what is not known.
std::string json_text(const ProgressSnapshot& snapshot, std::optional<double> rate, bool final);

}  // namespace longhaul::app
