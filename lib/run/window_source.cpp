#include "run/window_source.hpp"

#include <algorithm>
#include <utility>

namespace longhaul::run {

WindowSource::WindowSource(input::RecordReader& reader, const prepare::Preprocessor& preprocessor,
                           const WindowSettings& settings, std::uint64_t next_index,
                           OlderRows* older, RepeatedRow repeated)
    : reader_(reader),
      preprocessor_(preprocessor),
      settings_(settings),
      next_index_(next_index),
      older_(older),
      repeated_(std::move(repeated)) {}

void WindowSource::look_at_older(Window& window) const {
  older_->recall(window.records);
  preprocessor_.identify(window.records);
  window.standings.reserve(window.records.size());
  for (const prepare::Prepared& record : window.records) {
    window.standings.push_back(record.defect || record.repeats ? Standing{}
                                                               : older_->standing_of(record));
  }
}

std::optional<Window> WindowSource::next() {
  Window window;
  window.index = next_index_;
  window.start = reader_.position();
  window.work.first_row = window.start.row;
  window.work.first_byte = reader_.progress().bytes_read;
  plan::WindowShapes shapes(settings_.records, settings_.order);
  while (!shapes.full()) {
    std::optional<Record> record = reader_.next();
    if (!record) {
      window.ends_input = true;
      break;
    }
    window.records.push_back(preprocessor_.measure(std::move(*record)));
    prepare::Prepared& measured = window.records.back();
    if (measured.defect) {
      shapes.add_not_computed();
      continue;
    }
    if (repeated_ && measured.hash != Hash128{}) {
      measured.repeats = repeated_(measured);
    }
    if (measured.repeats) {
      shapes.add_not_computed();
    } else {
      shapes.add(measured.tokens, measured.segments);
    }
  }
  if (window.records.empty()) {
    return std::nullopt;
  }
  window.order = shapes.order();
  if (older_ != nullptr) {
    look_at_older(window);
  }
  window.end = reader_.position();
  window.progress = reader_.progress();
  window.work.end_row = window.end.row;
  window.work.end_byte = window.progress.bytes_read;
  if (window.ends_input) {
    window.progress.records_total = window.end.row;
  }
  ++next_index_;
  return window;
}

}  // namespace longhaul::run
