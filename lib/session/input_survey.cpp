#include "session/input_survey.hpp"

#include <algorithm>
#include <utility>

#include "run/window_writer.hpp"
#include "store/record_csv.hpp"

namespace longhaul::session {
namespace {

constexpr std::size_t kFirstRejects = 3;
constexpr std::size_t kPictures = 32;
// Remembered where a run remembers none: up to 160 MiB.
constexpr std::uint64_t kMostContents = std::uint64_t{1} << 22;

}  // namespace

plan::Workload InputSurvey::work() const {
  plan::Workload all;
  for (const ShardWork& shard : shards) {
    all.add(shard.work);
  }
  return all;
}

InputSurveyor::InputSurveyor(const SurveySettings& settings)
    : settings_(settings),
      shards_(settings.shards,
              {plan::WindowShapes(settings.window.records, settings.window.order), {}}),
      table_bytes_(store::records_header(settings.layout).size()),
      reject_bytes_(store::rejects_header().size()) {}

void InputSurveyor::close_window(Open& shard) {
  shard.done.work.add(plan::workload_of(shard.shapes.order(), settings_.parts));
  shard.shapes = plan::WindowShapes(settings_.window.records, settings_.window.order);
}

void InputSurveyor::add(prepare::Prepared prepared) {
  RecordRow row = run::row_of(prepared);
  if (!settings_.skip_duplicates && contents_.records() >= kMostContents) {
    duplicates_.reset();
  }
  if (!settings_.images && !prepared.defect && duplicates_) {
    const auto first = contents_.first_of(prepared.hash, row.row);
    *duplicates_ += first ? 1U : 0U;
    if (first && settings_.skip_duplicates) {
      prepared.repeats = first;
      row.status = Status::kDuplicate;
      row.duplicate_of = first;
    }
  }
  if (settings_.images && !prepared.defect) {
    row.hash.low = 1;  // its bytes' own is not known before it is read, but how long it will be
  }
  found_.counters.add(row, {.stop_dropped = prepared.stop_dropped,
                            .looks_like_nucleotides = prepared.looks_like_nucleotides});
  found_.counters.repeated_ids += ids_.repeats(row.id) ? 1U : 0U;
  table_bytes_ += store::records_line(settings_.layout, row).size();
  Open& shard = shards_[row.position / settings_.block % settings_.shards];
  ++shard.done.records;
  if (prepared.defect) {
    shard.shapes.add_not_computed();
    reject_bytes_ += store::rejects_line(row).size();
    auto& first = found_.first_rejects[std::string(to_string(prepared.defect->reason))];
    if (first.size() < kFirstRejects) {
      first.push_back(std::move(row));
    }
  } else {
    residues_ += prepared.length;
    ++found_.lengths[prepared.record.stamp ? prepared.record.stamp->size : prepared.length];
    if (prepared.repeats && settings_.shards == 1) {
      shard.shapes.add_not_computed();
    } else {
      shard.shapes.add(prepared.tokens, prepared.segments);
      found_.tokens += std::uint64_t{prepared.tokens} * std::max(prepared.segments, 1U);
      keep_sample(std::move(prepared));
    }
  }
  if (shard.shapes.full()) {
    close_window(shard);
  }
}

void InputSurveyor::keep_sample(prepare::Prepared prepared) {
  if (!settings_.images) {
    const plan::OrderSettings& order = settings_.window.order;
    found_.samples.try_emplace(order.order == Order::kLength
                                   ? plan::rung_of(prepared.tokens, order.max_tokens, order.rungs)
                                   : prepared.tokens,
                               std::move(prepared));
    return;
  }
  // Each picture has the same chance; which are taken is the same each time.
  ++seen_pictures_;
  if (found_.pictures.size() < kPictures) {
    found_.pictures.push_back(std::move(prepared));
    return;
  }
  const std::uint64_t place = (seen_pictures_ * 0x9E3779B97F4A7C15ULL >> 20) % seen_pictures_;
  if (place < kPictures) {
    found_.pictures[place] = std::move(prepared);
  }
}

void InputSurveyor::measure_files() {
  const std::uint64_t rows = found_.counters.records;
  constexpr std::uint64_t kNumber = 8;
  for (const OutputSpec& output : settings_.layout.outputs) {
    const bool ragged = output.kind == ArrayKind::kTokens;
    const std::uint64_t vectors = ragged ? residues_ : rows;
    found_.files[store::array_file(output)] =
        store::array_header(output, vectors).size() + vectors * vector_bytes(output);
    if (ragged) {
      found_.files[store::offsets_file(output)] =
          store::offsets_header(rows).size() + (rows + 1) * kNumber;
    }
  }
  const std::uint64_t numbers = store::checksums_header(rows).size() + rows * kNumber;
  found_.files[store::store_files::kChecksums] = numbers;
  if (settings_.images) {
    found_.files[store::store_files::kStamps] = numbers;
  }
  found_.files[store::store_files::kRecords] = table_bytes_;
  found_.files[store::store_files::kRejects] = reject_bytes_;
}

InputSurvey InputSurveyor::finish(const LeftOut& left_out) {
  for (Open& shard : shards_) {
    if (!shard.shapes.empty()) {
      close_window(shard);
    }
    found_.shards.push_back(std::move(shard.done));
  }
  found_.counters.repeated_ids_exact = !ids_.overflowed();
  found_.counters.left_out = left_out;
  if (!settings_.images) {
    found_.exact_duplicates = duplicates_;
  }
  measure_files();
  return std::move(found_);
}

}  // namespace longhaul::session
