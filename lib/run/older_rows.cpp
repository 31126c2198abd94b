#include "run/older_rows.hpp"

#include <algorithm>
#include <numeric>

#include "base/error.hpp"
#include "base/text.hpp"
#include "input/image_place.hpp"
#include "store/record_csv.hpp"
#include "store/text_file_verifier.hpp"
#include "store/verify.hpp"

namespace longhaul::run {
namespace {

constexpr const char* kDamaged =
    "run longhaul verify on it, and restore it from a copy or leave out --reuse";

std::uint64_t all_rows(const std::vector<store::OutputReader>& outputs) {
  return std::accumulate(
      outputs.begin(), outputs.end(), std::uint64_t{0},
      [](std::uint64_t sum, const store::OutputReader& output) { return sum + output.rows(); });
}

void require_tables(Files& files, const store::OutputReader& output) {
  store::Verification tables;
  verify_tables(files, output, tables);
  if (!tables.good()) {
    throw Error(ExitCode::kBadData,
                printable(tables.findings.front().where, 400) + " " + tables.findings.front().what,
                kDamaged);
  }
}

}  // namespace

std::vector<OlderRows::Arrays> OlderRows::open(const std::vector<store::OutputReader>& outputs) {
  std::vector<Arrays> opened;
  opened.reserve(outputs.size());
  for (const store::OutputReader& output : outputs) {
    // Where no row is claimed, no file need be there.
    opened.push_back(output.rows() > 0 ? Arrays{output.arrays(), output.checksums()} : Arrays{});
  }
  return opened;
}

OlderRows::OlderRows(Files& files, const std::vector<store::OutputReader>& outputs, Images images,
                     Log& log)
    : log_(log), index_(all_rows(outputs)), asked_(open(outputs)), taken_(open(outputs)) {
  for (std::uint32_t number = 0; number < outputs.size(); ++number) {
    const store::OutputReader& output = outputs[number];
    names_.push_back(output.path());
    if (output.rows() == 0) {
      continue;
    }
    require_tables(files, output);
    store::RecordCursor records = output.records();
    for (RecordRow record; records.next(record);) {
      if (record.status == Status::kOk && record.hash != Hash128{}) {
        index_.add(record.hash, record.id, {number, record.row});
      }
    }
    if (images == Images::kByStamp && output.has(store::store_files::kStamps)) {
      asked_[number].stamps.emplace(files, output.path_of(store::store_files::kStamps));
    }
  }
  index_.seal();
}

void OlderRows::recall(std::span<prepare::Prepared> records) {
  if (std::none_of(asked_.begin(), asked_.end(),
                   [](const Arrays& output) { return output.stamps.has_value(); })) {
    return;
  }
  for (prepare::Prepared& record : records) {
    const std::optional<std::uint64_t> stamp =
        record.defect ? std::nullopt : input::stamp_of(record.record);
    if (stamp && recall(record, *stamp)) {
      ++recalled_;
    }
  }
}

bool OlderRows::recall(prepare::Prepared& record, std::uint64_t stamp) {
  for (const store::RowIndex::Known& known : index_.of_id(store::csv_value(record.record.id))) {
    std::optional<store::StampReader>& stamps = asked_[known.place.output].stamps;
    if (stamps && stamps->of(known.place.row) == store::stamp_mark(stamp, known.content)) {
      record.hash = known.content;
      return true;
    }
  }
  return false;
}

Standing OlderRows::standing_of(const prepare::Prepared& record) {
  Standing standing;
  for (const store::RowIndex::Place& place : index_.of_content(record.hash)) {
    if (holds(place, record)) {
      standing.row = place;
      break;
    }
  }
  standing.known_id = index_.has_id(store::csv_value(record.record.id));
  return standing;
}

bool OlderRows::holds(const store::RowIndex::Place& place, const prepare::Prepared& record) {
  Arrays& output = asked_[place.output];
  std::optional<store::RowFault> fault =
      store::fault_of_row(output.arrays, *output.checksums, place.row);
  for (store::ArrayReader& array : output.arrays) {
    if (!fault && array.output().kind == ArrayKind::kTokens &&
        array.vectors(place.row) != record.length) {
      fault = store::RowFault{array.where(place.row), "does not have the residues of its record"};
    }
  }
  if (fault && damaged_++ == 0) {
    log_.warning(printable(fault->where, 400) + " " + fault->what +
                 ": what is damaged there is computed");
  }
  return !fault;
}

std::span<const std::span<const float>> OlderRows::take(const store::RowIndex::Place& place) {
  Arrays& output = taken_[place.output];
  if (const auto fault = store::fault_of_row(output.arrays, *output.checksums, place.row)) {
    throw Error(ExitCode::kBadData,
                printable(fault->where, 400) + " " + fault->what + ", and did a moment ago",
                "give the same command again: what is damaged there is computed");
  }
  numbers_.clear();
  values_.resize(output.arrays.size());
  for (std::size_t i = 0; i < output.arrays.size(); ++i) {
    const std::span<const float> row = output.arrays[i].row(place.row);
    values_[i].assign(row.begin(), row.end());
    numbers_.emplace_back(values_[i]);
  }
  return numbers_;
}

std::uint64_t OlderRows::gone(store::RecordCursor records) {
  for (RecordRow record; records.next(record);) {
    index_.keep(record.id);
  }
  return index_.left();
}

}  // namespace longhaul::run
