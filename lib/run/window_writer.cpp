#include "run/window_writer.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "base/error.hpp"
#include "input/image_place.hpp"
#include "store/stored_values.hpp"

namespace longhaul::run {
namespace {

// Of the first output that cannot hold its numbers.
Defect unstorable(const std::vector<OutputSpec>& outputs,
                  std::span<const std::span<const float>> numbers) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (store::is_storable(numbers[i], outputs[i].dtype)) {
      continue;
    }
    if (outputs[i].kind == ArrayKind::kTokens) {
      return {Reason::kNotFinite, "a residue's vector does not fit in the number type of its file",
              "use --tokens-dtype fp32"};
    }
    break;
  }
  return {Reason::kNotFinite, "the vector does not fit in the output's number type",
          "use --output-dtype fp32"};
}

void set_start(store::Progress& progress, const input::InputPosition& start) {
  progress.window_start = start.row;
  progress.input_records = start.position;
  progress.cursor = start.cursor;
  progress.input_hash = start.digest;
  progress.selected_hash = start.selected;
}

}  // namespace

RecordRow row_of(const prepare::Prepared& prepared,
                 const std::map<std::uint64_t, LateOutcome>& late) {
  RecordRow row;
  row.position = prepared.record.position;
  row.row = prepared.record.row;
  row.id = prepared.record.id;
  row.source = prepared.record.source;
  row.line = prepared.record.line;
  row.length = prepared.length;
  row.truncated = prepared.truncated;
  row.substituted = prepared.substituted;
  row.gaps = prepared.gaps;
  row.windows = prepared.segments;
  row.hash = prepared.hash;
  row.stamp = input::stamp_of(prepared.record);
  row.kept = prepared.record.kept;
  if (prepared.defect) {
    row.status = Status::kRejected;
    row.defect = prepared.defect;
    return row;
  }
  if (const auto found = late.find(row.row); found != late.end()) {
    row.status = found->second.status;
    row.defect = found->second.defect;
    row.duplicate_of = found->second.duplicate_of;
  }
  return row;
}

WindowWriter::WindowWriter(store::EmbeddingStore& store, const Settings& settings,
                           std::function<Clock::time_point()> now,
                           const std::optional<store::Progress>& from)
    : store_(store),
      settings_(settings),
      commits_(store, settings.commit_every, std::move(now)),
      without_vector_(settings.without_vector) {
  if (from) {
    counters_ = counters_from_json(from->counters);
    rows_complete_ = from->window_start;
    for (const LateOutcome& outcome : from->late) {
      keep(outcome);
    }
    late_uncommitted_.clear();  // they are committed
    embedded_committed_ = embedded(from->position);
  }
}

// In complete windows, and in the first `position` slots of the one in hand: each has a vector but
// for those with a late outcome.
std::uint64_t WindowWriter::embedded(std::uint64_t position) const {
  return counters_.ok + position - std::min<std::uint64_t>(position, late_.size());
}

void WindowWriter::write(EncodedJob job) {
  const Window& window = *job.window;
  counters_.reshaped += job.reshaped;
  counters_.computed_alone += job.computed_alone;
  counters_.stayed_not_finite += job.stayed_not_finite;
  if (placed_ != window.index) {
    place(window);
  }
  take(job);
  Refused refused;
  put(job, refused);
  store::Progress progress;
  progress.counters = nullptr;
  if (job.last) {
    complete(window, refused);
    progress.window = window.index + 1;
    set_start(progress, window.end);
  } else {
    progress.window = window.index;
    set_start(progress, window.start);
    progress.position = std::uint64_t{job.first} + job.count;
    progress.window_end = window.end.row;
    progress.window_end_hash = window.end.digest;
    progress.window_ends_input = window.ends_input;
  }
  // A batch in which no record ends adds nothing to what can be claimed.
  if (job.last || (settings_.commit_inside_windows && job.count > 0)) {
    commits_.propose(std::move(progress));
  }
  if (settings_.rejected) {
    for (const auto& [record, defect] : refused) {
      settings_.rejected(*record, defect);
    }
  }
  commit_if_due();
}

void WindowWriter::put(EncodedJob& job, Refused& refused) {
  const Window& window = *job.window;
  std::vector<std::span<const float>> numbers;
  for (std::uint32_t i = 0; i < job.records.size(); ++i) {
    const Record& record = window.records[job.records[i]].record;
    const std::uint64_t row = record.row;
    if (job.has_vector[i] && !store_.put(row, job.rows.row(i, numbers))) {
      refused.emplace_back(&record, unstorable(store_.layout().outputs, numbers));
      job.late.push_back(late_reject(row, refused.back().second));
    }
  }
  // What is rejected comes first: others may repeat it.
  for (const LateOutcome& outcome : job.late) {
    if (outcome.status == Status::kRejected) {
      keep(outcome);
    }
  }
  for (LateOutcome& outcome : job.late) {
    if (outcome.status == Status::kDuplicate) {
      settle_duplicate(window.records[outcome.row - window.start.row].record, outcome, refused);
    }
  }
}

void WindowWriter::keep(const LateOutcome& outcome) {
  late_.emplace(outcome.row, outcome);
  late_uncommitted_.push_back(outcome);
  if (outcome.defect && is_of_encoding(outcome.defect->reason)) {
    without_vector_.emplace(outcome.row, *outcome.defect);
  }
}

void WindowWriter::take(const EncodedJob& job) {
  for (const std::uint32_t index : job.taken) {
    const std::uint64_t row = job.window->records[index].record.row;
    if (!store_.put(row, settings_.older->take(*job.window->standings[index].row))) {
      throw Error(ExitCode::kInternal,
                  "a row of an older output cannot be stored as row " + std::to_string(row));
    }
  }
}

void WindowWriter::count_reuse(const Standing& standing) {
  if (standing.row) {
    ++counters_.reuse.taken[settings_.older->name(*standing.row)];
  } else if (standing.known_id) {
    ++counters_.reuse.changed;
  } else {
    ++counters_.reuse.added;
  }
}

void WindowWriter::settle_duplicate(const Record& record, LateOutcome& outcome, Refused& refused) {
  if (const auto first = without_vector_.find(*outcome.duplicate_of);
      first != without_vector_.end()) {
    outcome.status = Status::kRejected;
    outcome.duplicate_of.reset();
    outcome.defect = first->second;
    refused.emplace_back(&record, first->second);
  } else {
    write_duplicate(outcome);
  }
  keep(outcome);
}

void WindowWriter::write_duplicate(const LateOutcome& outcome) {
  if (!settings_.copy_to_duplicates) {
    store_.put_nan(outcome.row);
    return;
  }
  const std::vector<std::vector<float>> numbers = store_.get(*outcome.duplicate_of);
  const std::vector<std::span<const float>> spans(numbers.begin(), numbers.end());
  if (!store_.put(outcome.row, spans)) {
    throw Error(ExitCode::kInternal, "row " + std::to_string(*outcome.duplicate_of) +
                                         " cannot be stored again as row " +
                                         std::to_string(outcome.row));
  }
}

void WindowWriter::place(const Window& window) {
  std::vector<std::uint32_t> residues;
  residues.reserve(window.records.size());
  for (const prepare::Prepared& prepared : window.records) {
    residues.push_back(prepared.defect ? 0 : prepared.length);
  }
  store_.place_window(window.start.row, residues);
  placed_ = window.index;
}

void WindowWriter::complete(const Window& window, Refused& refused) {
  for (const prepare::Prepared& prepared : window.records) {
    if (prepared.repeats) {
      LateOutcome outcome = late_duplicate(prepared.record.row, *prepared.repeats);
      settle_duplicate(prepared.record, outcome, refused);
    }
  }
  if (!std::exchange(ids_recalled_, true) && settings_.recall_ids) {
    settings_.recall_ids(ids_);
  }
  std::vector<RecordRow> rows;
  rows.reserve(window.records.size());
  for (const prepare::Prepared& prepared : window.records) {
    rows.push_back(row_of(prepared, late_));
    counters_.add(rows.back(), {.stop_dropped = prepared.stop_dropped,
                                .looks_like_nucleotides = prepared.looks_like_nucleotides});
    counters_.repeated_ids += ids_.repeats(prepared.record.id) ? 1U : 0U;
    if (!window.standings.empty() && rows.back().status == Status::kOk) {
      count_reuse(window.standings[rows.size() - 1]);
    }
  }
  counters_.repeated_ids_exact = !ids_.overflowed();
  counters_.left_out = window.end.left_out;
  store_.complete_window(rows);
  rows_complete_ = window.end.row;
  late_.clear();
  late_uncommitted_.clear();
}

void WindowWriter::commit_if_due() {
  if (commits_.due()) {
    commit();
  }
}

void WindowWriter::commit() {
  if (const auto position = commits_.commit(counters_, late_uncommitted_)) {
    embedded_committed_ = embedded(*position);
  }
}

}  // namespace longhaul::run
