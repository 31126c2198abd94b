#include "session_display.hpp"

namespace longhaul::app {
namespace {

using Clock = std::chrono::steady_clock;

ProgressSnapshot to_show(const run::RunSnapshot& snapshot, Modality modality,
                         std::chrono::duration<double> elapsed) {
  return {.records_done = snapshot.records_done,
          .records_total = snapshot.input.records_total,
          .bytes_read = snapshot.input.bytes_read,
          .bytes_total = snapshot.input.bytes_total,
          .rejected = snapshot.records_rejected,
          .batches = snapshot.batches,
          .batch_rows = snapshot.batch_rows,
          .width = modality == Modality::kImage ? 0 : snapshot.batch_width,
          .rss = snapshot.memory.rss,
          .device_allocated = snapshot.memory.device.allocated,
          .elapsed = elapsed.count(),
          .at_work = snapshot.seconds_at_work,
          .seconds_left =
              snapshot.time_left ? std::optional(snapshot.time_left->seconds) : std::nullopt,
          .left_is_approximate = snapshot.time_left && snapshot.time_left->approximate};
}

}  // namespace

SessionDisplay::SessionDisplay(Console& console, ProgressStyle style, Modality modality,
                               Clock::time_point started, MetricsFile* metrics)
    : modality_(modality), started_(started), display_(console, style, started, metrics) {}

void SessionDisplay::update(const run::RunSnapshot& snapshot) {
  const Clock::time_point now = Clock::now();
  display_.update(to_show(snapshot, modality_, now - started_), now);
}

void SessionDisplay::finish(const run::RunSnapshot& snapshot) {
  const Clock::time_point now = Clock::now();
  display_.finish(to_show(snapshot, modality_, now - started_), now);
}

}  // namespace longhaul::app
