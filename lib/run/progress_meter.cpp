#include "run/progress_meter.hpp"

#include <algorithm>

namespace longhaul::run {

void ProgressMeter::batch(const std::vector<encode::HostBatch>& parts) {
  rows_ = 0;
  width_ = 0;
  for (const encode::HostBatch& part : parts) {
    rows_ += part.used_rows;
    width_ = std::max(width_, part.width);
  }
}

RunSnapshot ProgressMeter::after(const EncodedJob& job) {
  const Window& window = *job.window;
  if (window_ != window.index) {
    window_ = window.index;
    forecast_.begin_window(window.work);
  }
  const Clock::time_point now = now_();
  forecast_.done(job.work, std::chrono::duration<double>(now - lap_).count());
  lap_ = now;
  RunSnapshot snapshot;
  snapshot.records_done = job.last ? window.end.row : window.start.row + job.first + job.count;
  snapshot.batch_rows = rows_;
  snapshot.batch_width = width_;
  snapshot.input = window.progress;
  snapshot.input.records_total = job.records_total;
  snapshot.time_left = forecast_.left(snapshot.input);
  snapshot.seconds_at_work = forecast_.seconds_at_work();
  // Reading is ahead: of the bytes read, the share that is encoded.
  if (const std::uint64_t read = window.end.row; read > 0) {
    snapshot.input.bytes_read = static_cast<std::uint64_t>(
        static_cast<double>(snapshot.input.bytes_read) *
        static_cast<double>(snapshot.records_done) / static_cast<double>(read));
  }
  return snapshot;
}

}  // namespace longhaul::run
