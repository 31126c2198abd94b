#include "run/rewound_reader.hpp"

namespace longhaul::run {

RewoundReader::RewoundReader(std::unique_ptr<input::RecordReader> input, std::uint64_t records)
    : input_(std::move(input)) {
  while (ahead_.size() < records) {
    input::InputPosition position = input_->position();
    std::optional<Record> record = input_->next();
    if (!record) {
      return;
    }
    ahead_.push_back({std::move(position), std::move(*record)});
  }
}

std::optional<Record> RewoundReader::next() {
  if (ahead_.empty()) {
    return input_->next();
  }
  Record record = std::move(ahead_.front().record);
  ahead_.pop_front();
  return record;
}

input::InputPosition RewoundReader::position() const {
  return ahead_.empty() ? input_->position() : ahead_.front().position;
}

bool RewoundReader::seek(const input::InputPosition& position) {
  if (!input_->seek(position)) {
    return false;
  }
  ahead_.clear();
  return true;
}

}  // namespace longhaul::run
