// A reader of which some records were read ahead, to look at them, and are given out again.
// For inputs that cannot be entered in the middle: streams and compressed files.
// One thread at a time; owns the reader underneath.
#pragma once

#include <deque>
#include <memory>
#include <utility>

#include "input/record_reader.hpp"

namespace longhaul::run {

class RewoundReader : public input::RecordReader {
 public:
  // Reads up to `records` of `input`, which may hold fewer.
  RewoundReader(std::unique_ptr<input::RecordReader> input, std::uint64_t records);

  // Those that were read ahead and not given out yet.
  struct Ahead {
    input::InputPosition position;
    Record record;
  };
  const std::deque<Ahead>& ahead() const { return ahead_; }
  // Where reading stands, behind all of those.
  input::InputPosition read() const { return input_->position(); }

  std::optional<Record> next() override;
  const std::vector<std::string>& kept_columns() const override { return input_->kept_columns(); }
  input::InputPosition position() const override;
  bool seek(const input::InputPosition& position) override;
  input::InputProgress progress() const override { return input_->progress(); }
  std::vector<input::SourceIdentity> sources() const override { return input_->sources(); }
  bool sources_tell_all() const override { return input_->sources_tell_all(); }

 private:
  std::unique_ptr<input::RecordReader> input_;
  std::deque<Ahead> ahead_;
};

}  // namespace longhaul::run
