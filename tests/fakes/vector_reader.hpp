// A reader over records in memory, for tests. Seeks by position, where it
// seeks.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "input/record_reader.hpp"

namespace longhaul::fakes {

inline Record sequence_record(std::uint64_t position, std::string residues) {
  Record record;
  record.position = record.row = position;
  record.id = "r" + std::to_string(position);
  record.payload = std::move(residues);
  record.source = "memory";
  record.line = position + 2;
  return record;
}

// Deterministic sequences over A, C and D of 1 to `longest` residues.
inline std::vector<Record> generated_records(std::uint64_t count, std::uint32_t longest) {
  std::vector<Record> records;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t mixed = (i + 1) * 0x9E3779B97F4A7C15ULL;
    std::string residues;
    for (std::uint64_t j = 0; j <= (mixed >> 32) % longest; ++j) {
      residues += "ACD"[(mixed >> (j % 50)) % 3];
    }
    records.push_back(sequence_record(i, residues));
  }
  return records;
}

// The same, every seventh of them bad.
inline std::vector<Record> mixed_records(std::uint64_t count) {
  std::vector<Record> records = generated_records(count, 30);
  for (std::size_t i = 0; i < records.size(); i += 7) {
    records[i].defect = Defect{Reason::kEmpty, "bad ones are counted as good ones are"};
  }
  return records;
}

class VectorReader : public input::RecordReader {
 public:
  // With `passes_over` one thing is left out before each record.
  explicit VectorReader(std::vector<Record> records, bool passes_over = false, bool seeks = true)
      : records_(std::move(records)), passes_over_(passes_over), seeks_(seeks) {}

  std::optional<Record> next() override {
    if (at_ == records_.size()) {
      return std::nullopt;
    }
    if (passes_over_) {
      left_out_.add("things between");
    }
    return records_[at_++];
  }
  const std::vector<std::string>& kept_columns() const override { return kept_columns_; }
  input::InputPosition position() const override {
    return {at_, at_, "at=" + std::to_string(at_), left_out_};
  }
  bool seek(const input::InputPosition& position) override {
    if (seeks_) {
      jump(position);
    }
    return seeks_;
  }
  input::InputProgress progress() const override { return {at_, records_.size(), std::nullopt}; }
  std::vector<input::SourceIdentity> sources() const override { return {}; }

 protected:
  void jump(const input::InputPosition& position) {
    at_ = position.position;
    left_out_ = position.left_out;
  }

 private:
  std::vector<Record> records_;
  std::vector<std::string> kept_columns_;
  bool passes_over_;
  bool seeks_;
  LeftOut left_out_;
  std::size_t at_ = 0;
};

}  // namespace longhaul::fakes
