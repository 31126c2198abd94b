#include "input/selected_reader.hpp"

#include <utility>

namespace longhaul::input {

SelectedReader::SelectedReader(std::unique_ptr<RecordReader> input,
                               std::unique_ptr<Selection> selection, const InputHash& beginning)
    : input_(std::move(input)), selection_(std::move(selection)), digest_(beginning) {}

std::optional<Record> SelectedReader::next() {
  std::optional<Record> record = input_->next();
  while (record) {
    if (take(*record)) {
      record->row = given_ - 1;
      break;
    }
    record = input_->next();
  }
  return record;
}

bool SelectedReader::take(const Record& record) {
  const InputHash term = digest_.add(record);
  const bool wanted = selection_->wants(read_++, record);
  if (wanted) {
    ++given_;
    if (term.form == DigestForm::kSum) {
      selected_.add(term);
    }
  }
  return wanted;
}

std::uint64_t SelectedReader::read_to(std::uint64_t position) {
  while (read_ < position) {
    const std::optional<Record> record = input_->next();
    if (!record) {
      break;
    }
    take(*record);
  }
  return read_;
}

InputPosition SelectedReader::position() const {
  InputPosition position = input_->position();
  position.position = read_;
  position.row = given_;
  position.digest = digest_.value();
  position.selected = selected_.value();
  return position;
}

bool SelectedReader::seek(const InputPosition& position) {
  if (!input_->seek({position.position, position.position, position.cursor, position.left_out})) {
    return false;
  }
  read_ = position.position;
  given_ = position.row;
  digest_ = InputDigest(position.digest);
  selected_ = InputDigest(position.selected);
  return true;
}

InputProgress SelectedReader::progress() const {
  InputProgress progress = input_->progress();
  progress.records_total = selection_->count_of(progress.records_total);
  return progress;
}

}  // namespace longhaul::input
