// Strings the sequence sources of a run together into one RecordReader: numbers the records, looks
// ahead for nucleotides, and finds positions again. What open_input returns for sequences.
// One thread at a time. Errors as open_input has them.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "input/input_list.hpp"
#include "input/record_reader.hpp"
#include "input/source_reader.hpp"

namespace longhaul::input {

class SequenceReader : public RecordReader {
 public:
  SequenceReader(const InputSettings& settings, const InputBackends& backends);

  std::optional<Record> next() override;
  const std::vector<std::string>& kept_columns() const override { return settings_.keep_columns; }
  InputPosition position() const override;
  bool seek(const InputPosition& position) override;
  InputProgress progress() const override;
  std::vector<SourceIdentity> sources() const override;
  std::optional<InputPosition> source_begin() const override;

 private:
  struct Ahead {
    Record record;
    std::size_t source = 0;
    SourceCursor cursor;
    LeftOut left_out;         // before the cursor
    std::uint64_t bytes = 0;  // likewise, as stored, of all sources
  };

  void check_sources();
  void look_ahead();
  std::unique_ptr<SourceReader> open(std::size_t source);
  bool read(Ahead& into, LeftOut* left_out = nullptr);
  LeftOut left_out_so_far() const;
  std::uint64_t bytes_so_far() const;
  bool can_enter(std::size_t source, const SourceCursor& cursor) const;

  InputSettings settings_;
  InputBackends backends_;
  std::unique_ptr<InputNotes> notes_;
  std::vector<InputFile> files_;
  std::size_t source_ = 0;                 // the one being read, or files_.size()
  std::unique_ptr<SourceReader> current_;  // nothing until it is opened
  std::optional<InputPosition> begin_;     // of that source, unless it was entered further on
  std::uint64_t read_position_ = 0;        // of the record that is read next, past what is ahead
  std::deque<Ahead> ahead_;                // read, but not given out
  LeftOut passed_left_out_;                // of folders, and before the source being read
  std::uint64_t passed_bytes_ = 0;         // of the sources before the one being read
  std::optional<std::uint64_t> records_total_;
};

}  // namespace longhaul::input
