#include "bench_records.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace longhaul::app {
namespace {

class GeneratedReader : public input::RecordReader {
 public:
  GeneratedReader(std::string letters, std::uint64_t records, std::uint32_t middle)
      : letters_(std::move(letters)), records_(records), middle_(middle) {}

  std::optional<Record> next() override {
    if (at_ == records_) {
      return std::nullopt;
    }
    Record record;
    record.position = record.row = at_;
    record.id = std::to_string(at_);
    record.source = "generated";
    std::uint64_t state = (at_ + 1) * 0x9E3779B97F4A7C15ULL;
    const std::uint32_t spread = std::max(1U, middle_ / 5);
    const std::uint64_t length = middle_ - spread / 2 + (state >> 33) % (spread + 1);
    for (std::uint64_t i = 0; i < std::max<std::uint64_t>(length, 1); ++i) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      record.payload += letters_[(state >> 33) % letters_.size()];
    }
    ++at_;
    return record;
  }
  const std::vector<std::string>& kept_columns() const override { return kept_columns_; }
  input::InputPosition position() const override { return {at_, at_, std::to_string(at_)}; }
  bool seek(const input::InputPosition& position) override {
    at_ = position.position;
    return true;
  }
  input::InputProgress progress() const override { return {at_, records_, records_}; }
  std::vector<input::SourceIdentity> sources() const override { return {}; }

 private:
  const std::string letters_;
  const std::uint64_t records_;
  const std::uint32_t middle_;
  const std::vector<std::string> kept_columns_;
  std::uint64_t at_ = 0;
};

class FirstRecords : public input::RecordReader {
 public:
  FirstRecords(std::unique_ptr<input::RecordReader> input, std::uint64_t records)
      : input_(std::move(input)), records_(records) {}

  std::optional<Record> next() override {
    return input_->position().position < records_ ? input_->next() : std::nullopt;
  }
  const std::vector<std::string>& kept_columns() const override { return input_->kept_columns(); }
  input::InputPosition position() const override { return input_->position(); }
  bool seek(const input::InputPosition& position) override { return input_->seek(position); }
  input::InputProgress progress() const override { return input_->progress(); }
  std::vector<input::SourceIdentity> sources() const override { return input_->sources(); }

 private:
  const std::unique_ptr<input::RecordReader> input_;
  const std::uint64_t records_;
};

}  // namespace

std::unique_ptr<input::RecordReader> generated_records(std::string letters, std::uint64_t records,
                                                       std::uint32_t middle_length) {
  return std::make_unique<GeneratedReader>(std::move(letters), records, middle_length);
}

std::unique_ptr<input::RecordReader> first_records(std::unique_ptr<input::RecordReader> input,
                                                   std::uint64_t records) {
  return std::make_unique<FirstRecords>(std::move(input), records);
}

}  // namespace longhaul::app
