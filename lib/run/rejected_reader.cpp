#include "run/rejected_reader.hpp"

#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::run {

RejectedReader::RejectedReader(std::unique_ptr<input::RecordReader> input, Files& files,
                               const std::string& rejects, std::uint64_t rejected)
    : input_(std::move(input)),
      file_(files.open(rejects, OpenMode::kRead)),
      rejects_(*file_, rejects, file_->size()),
      rejected_(rejected) {
  rejects_.next();  // the header
  row_ = next_row();
}

std::optional<std::uint64_t> RejectedReader::next_row() {
  const std::optional<std::vector<std::string>> fields = rejects_.next();
  if (!fields) {
    return std::nullopt;
  }
  const std::optional<std::uint64_t> row = parse_count(fields->front());
  if (!row || (row_ && *row <= *row_)) {
    throw Error(ExitCode::kBadData,
                "rejects.csv, line " + std::to_string(rejects_.line()) + " is damaged",
                "see what `longhaul verify` says of the output");
  }
  return row;
}

std::optional<Record> RejectedReader::next_of_input() {
  std::optional<Record> record = input_->next();
  if (record) {
    digest_.add(*record);
    ++whole_.records;
  }
  return record;
}

std::optional<Record> RejectedReader::next() {
  while (row_) {
    std::optional<Record> record = next_of_input();
    if (!record) {
      return std::nullopt;  // a shorter input: whoever compares read_rest() says so
    }
    if (record->ordinal == *row_) {
      record->row = record->ordinal;
      record->ordinal = given_++;
      row_ = next_row();
      return record;
    }
  }
  return std::nullopt;
}

input::InputProgress RejectedReader::progress() const {
  input::InputProgress progress = input_->progress();
  progress.records_total = rejected_;
  return progress;
}

RejectedReader::Whole RejectedReader::read_rest() {
  while (next_of_input()) {
  }
  whole_.hash = digest_.value();
  return whole_;
}

}  // namespace longhaul::run
