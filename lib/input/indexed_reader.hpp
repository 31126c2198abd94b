// A shard's records of an input that has an index: its own stretches are gone to and read, the
// others are passed over. A stretch is read whole, and its digest compared with the index, before
// any of it is given out: of another input nothing is embedded. What cannot be entered in the
// middle (compressed files) is read through, and compared as well.
// The digest is that of the whole input up to a position: of what was passed over, the index's. The
// times of images are summed for the shard's own alone.
// Owns what it reads from; the index outlives it. Memory: a stretch of records. One thread at a
// time. Throws what the input throws; Error(kMismatch) where that is another than was indexed.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "input/digested_reader.hpp"
#include "input/input_digest.hpp"
#include "input/input_index.hpp"
#include "input/selection.hpp"

namespace longhaul::input {

class IndexedReader : public DigestedReader {
 public:
  // `name` is that of the index, for messages; `log` hears that an input is read through.
  IndexedReader(std::unique_ptr<RecordReader> input, const InputIndex& index, ShardBlocks own,
                std::string name, Log* log);

  std::optional<Record> next() override;
  const std::vector<std::string>& kept_columns() const override { return input_->kept_columns(); }
  InputPosition position() const override;
  bool seek(const InputPosition& position) override;
  InputProgress progress() const override;
  std::vector<SourceIdentity> sources() const override { return input_->sources(); }
  bool sources_tell_all() const override { return input_->sources_tell_all(); }
  std::uint64_t read_to(std::uint64_t position) override;

 private:
  struct Held {
    Record record;
    InputHash term;  // what it adds to the digest
  };
  std::uint64_t number() const { return read_ / index_.header.stretch; }  // of the next record's
  bool at_end() const { return read_ == index_.records(); }
  bool hold_next();
  void pass();
  void hold(std::uint64_t number);
  void go_to(const IndexPlace& place);
  void read_through(std::uint64_t row);
  void compare(std::uint64_t number, std::uint64_t records, const Hash128& digest) const;

  std::unique_ptr<RecordReader> input_;
  const InputIndex& index_;
  ShardBlocks own_;
  std::string name_;
  Log* log_;
  bool said_ = false;         // that the input is read through
  std::uint64_t stands_ = 0;  // the input: at which record
  std::deque<Held> held_;     // of the stretch in hand, what was not given out
  std::uint64_t read_ = 0;    // records of the input before the next one
  std::uint64_t given_ = 0;
  InputDigest digest_;
  InputDigest selected_;
};

}  // namespace longhaul::input
