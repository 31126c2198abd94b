#include "input/indexed_reader.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::input {

IndexedReader::IndexedReader(std::unique_ptr<RecordReader> input, const InputIndex& index,
                             ShardBlocks own, std::string name, Log* log)
    : input_(std::move(input)), index_(index), own_(own), name_(std::move(name)), log_(log) {
  input_->leave_uncounted();  // the index knows
}

std::optional<Record> IndexedReader::next() {
  if (!hold_next()) {
    return std::nullopt;
  }
  Held held = std::move(held_.front());
  held_.pop_front();
  digest_.add(held.term);
  selected_.add(held.term);
  ++read_;
  held.record.row = given_++;
  return std::move(held.record);
}

// False at the end of the input, which is gone to as well.
bool IndexedReader::hold_next() {
  while (held_.empty() && !at_end()) {
    if (own_.wants(read_, {})) {
      hold(number());
    } else {
      pass();
    }
  }
  if (held_.empty() && stands_ != index_.end.row) {
    go_to(index_.end);
  }
  return !held_.empty();
}

// The stretch at which this stands is another shard's.
void IndexedReader::pass() {
  const IndexStretch& stretch = index_.stretches[number()];
  digest_.add({.content = stretch.digest});
  read_ += stretch.records;
}

void IndexedReader::hold(std::uint64_t number) {
  const IndexStretch& stretch = index_.stretches[number];
  go_to(stretch.begin);
  InputDigest digest;
  std::deque<Held> held;
  while (held.size() < stretch.records) {
    std::optional<Record> record = input_->next();
    if (!record) {
      break;
    }
    const InputHash term = digest.add(*record);
    held.push_back({std::move(*record), term});
  }
  stands_ = stretch.begin.row + held.size();
  compare(number, held.size(), digest.value().content);
  if (number + 1 == index_.stretches.size()) {
    if (const std::optional<Record> more = input_->next()) {
      throw Error(ExitCode::kMismatch,
                  name_ + " is of another input: this one goes on with " +
                      printable(more->id, 400) + " after its " + format_count(index_.records()) +
                      " records",
                  "restore the input, or index and embed it into another --output");
    }
  }
  held_ = std::move(held);
}

void IndexedReader::compare(std::uint64_t number, std::uint64_t records,
                            const Hash128& digest) const {
  const IndexStretch& stretch = index_.stretches[number];
  if (records == stretch.records && digest == stretch.digest) {
    return;
  }
  const std::uint64_t first = stretch.begin.row;
  throw Error(ExitCode::kMismatch,
              name_ + " is of another input: " +
                  (records < stretch.records
                       ? "this one ends after " + format_count(first + records) +
                             " records, it has " + format_count(index_.records())
                       : "the records " + format_count(first) + " to " +
                             format_count(first + records - 1) + " are others in this one"),
              "restore the input, or index and embed it into another --output");
}

// Sends the input to a place, straight or by reading what lies before it.
void IndexedReader::go_to(const IndexPlace& place) {
  if (stands_ == place.row) {
    return;
  }
  if (!input_->seek(place.position())) {
    read_through(place.row);
  }
  stands_ = place.row;
}

void IndexedReader::read_through(std::uint64_t row) {
  if (!said_ && log_ != nullptr) {
    log_->info(
        "a compressed input cannot be entered in the middle: it is read through, to the "
        "records of this shard");
  }
  said_ = true;
  // The beginning of a file may lie closer.
  const auto after = std::upper_bound(
      index_.sources.begin(), index_.sources.end(), row,
      [](std::uint64_t wanted, const IndexPlace& source) { return wanted < source.row; });
  if (after != index_.sources.begin()) {
    const IndexPlace& source = *std::prev(after);
    if (source.row > stands_ && input_->seek(source.position())) {
      stands_ = source.row;
    }
  }
  if (stands_ > row) {
    throw Error(ExitCode::kInternal,
                "an input that cannot be entered was to go back to record " + std::to_string(row));
  }
  while (stands_ < row) {
    const std::uint64_t number = stands_ / index_.header.stretch;
    const IndexStretch& stretch = index_.stretches[number];
    const bool whole = stands_ == stretch.begin.row;
    InputDigest digest;
    std::uint64_t records = stands_ - stretch.begin.row;
    for (; records < stretch.records; ++records) {
      const std::optional<Record> record = input_->next();
      if (!record) {
        break;
      }
      digest.add(*record);
    }
    compare(number, records, whole ? digest.value().content : stretch.digest);
    stands_ = stretch.begin.row + records;
  }
}

std::uint64_t IndexedReader::read_to(std::uint64_t position) {
  while (read_ < position && !at_end()) {
    if (!held_.empty() || own_.wants(read_, {})) {
      next();
    } else {
      pass();
    }
  }
  if (at_end()) {
    hold_next();
  }
  return read_;
}

InputPosition IndexedReader::position() const {
  if (at_end()) {
    InputPosition position = index_.end.position();
    position.row = given_;
    position.digest = digest_.value();
    position.selected = selected_.value();
    return position;
  }
  // Within a stretch its beginning is gone to again.
  const IndexPlace& begin = index_.stretches[number()].begin;
  return {read_, given_, begin.cursor, begin.left_out, digest_.value(), selected_.value()};
}

bool IndexedReader::seek(const InputPosition& position) {
  if (position.position > index_.records()) {
    return false;
  }
  const bool end = position.position == index_.records();
  const IndexPlace& place =
      end ? index_.end : index_.stretches[position.position / index_.header.stretch].begin;
  if (!input_->seek(place.position())) {
    return false;
  }
  stands_ = place.row;
  held_.clear();
  read_ = place.row;
  if (read_ < position.position) {
    hold(number());
    const auto given = static_cast<std::ptrdiff_t>(position.position - read_);
    held_.erase(held_.begin(), held_.begin() + given);
  }
  read_ = position.position;
  given_ = position.row;
  digest_ = InputDigest(position.digest);
  selected_ = InputDigest(position.selected);
  return true;
}

InputProgress IndexedReader::progress() const {
  InputProgress progress = input_->progress();
  progress.records_total = own_.count_of(index_.records());
  return progress;
}

}  // namespace longhaul::input
