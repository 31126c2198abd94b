// The rejected records of an earlier run, read from its input again: a reader that gives only the
// records which its rejects.csv names, numbered from 0, with their row in Record::row. One thread.
// Throws what the input's reader throws, and Error(kBadData) for a rejects.csv that is damaged.
#pragma once

#include <memory>
#include <string>

#include "base/files.hpp"
#include "input/record_reader.hpp"
#include "store/record_csv.hpp"

namespace longhaul::run {

class RejectedReader : public input::RecordReader {
 public:
  // `rejected` is how many records rejects.csv names.
  RejectedReader(std::unique_ptr<input::RecordReader> input, Files& files,
                 const std::string& rejects, std::uint64_t rejected);

  std::optional<Record> next() override;
  const std::vector<std::string>& kept_columns() const override { return input_->kept_columns(); }
  input::InputPosition position() const override { return {given_, ""}; }
  // Never: the whole input is read again, so that its hash tells whether it is the same.
  bool seek(const input::InputPosition&) override { return false; }
  input::InputProgress progress() const override;
  std::vector<input::SourceIdentity> sources() const override { return input_->sources(); }

  // Reads to the end of the input: the hash and the number of all its records.
  struct Whole {
    Hash128 hash;
    std::uint64_t records = 0;
  };
  Whole read_rest();

 private:
  std::optional<Record> next_of_input();
  std::optional<std::uint64_t> next_row();

  std::unique_ptr<input::RecordReader> input_;
  std::unique_ptr<File> file_;
  store::CsvFile rejects_;
  std::uint64_t rejected_;
  std::optional<std::uint64_t> row_;  // of the next record to give
  std::uint64_t given_ = 0;
  Whole whole_;
  input::InputDigest digest_;
};

}  // namespace longhaul::run
