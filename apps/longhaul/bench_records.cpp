#include "bench_records.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

namespace longhaul::app {
namespace {

std::uint64_t next_state(std::uint64_t state) {
  return state * 6364136223846793005ULL + 1442695040888963407ULL;
}

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
    if (!letters_.empty()) {
      record.payload = letters();
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
  std::string letters() const {
    std::string text;
    std::uint64_t state = (at_ + 1) * 0x9E3779B97F4A7C15ULL;
    const std::uint32_t spread = std::max(1U, middle_ / 5);
    const std::uint64_t length = middle_ - spread / 2 + (state >> 33) % (spread + 1);
    for (std::uint64_t i = 0; i < std::max<std::uint64_t>(length, 1); ++i) {
      state = next_state(state);
      text += letters_[(state >> 33) % letters_.size()];
    }
    return text;
  }

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

// Images are pieces of one stretch of noise, so that they cost a copy each.
class GeneratedPixels : public prepare::Preprocessor {
 public:
  explicit GeneratedPixels(std::uint32_t size)
      : image_bytes_(std::size_t{3} * size * size), noise_(image_bytes_ + kPlaces) {
    std::uint64_t state = 1;
    for (std::uint8_t& byte : noise_) {
      state = next_state(state);
      byte = static_cast<std::uint8_t>(state >> 56);
    }
  }

  prepare::Prepared measure(Record record) const override {
    prepare::Prepared prepared;
    prepared.record = std::move(record);
    prepared.tokens = 1;
    return prepared;
  }
  prepare::Assembled assemble(std::span<const prepare::Row> images, std::uint32_t,
                              std::uint32_t filled) const override {
    prepare::Assembled assembled;
    encode::HostBatch& batch = assembled.batch;
    batch.used_rows = static_cast<std::uint32_t>(images.size());
    batch.rows = std::max(filled, batch.used_rows);
    batch.pixels.reserve(batch.rows * image_bytes_);
    for (const prepare::Row& image : images) {
      const auto first =
          noise_.begin() + static_cast<std::ptrdiff_t>(image.prepared->record.position % kPlaces);
      batch.pixels.insert(batch.pixels.end(), first,
                          first + static_cast<std::ptrdiff_t>(image_bytes_));
    }
    batch.pixels.resize(batch.rows * image_bytes_);
    batch.lengths.assign(batch.rows, 0);
    std::fill_n(batch.lengths.begin(), batch.used_rows, 1U);
    assembled.accepted.resize(batch.used_rows);
    std::iota(assembled.accepted.begin(), assembled.accepted.end(), 0U);
    return assembled;
  }
  nlohmann::json report() const override { return nullptr; }

 private:
  static constexpr std::size_t kPlaces = 4099;  // where an image may begin

  const std::size_t image_bytes_;
  std::vector<std::uint8_t> noise_;
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

std::unique_ptr<prepare::Preprocessor> generated_pixels(std::uint32_t size) {
  return std::make_unique<GeneratedPixels>(size);
}

}  // namespace longhaul::app
