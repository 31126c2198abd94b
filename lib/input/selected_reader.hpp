// The records of an input that a Selection wants: all of the input is read and digested.
// Every run reads through one, but for shards that go by an index (indexed_reader.hpp).
// Owns what it reads from; one thread at a time. Throws what that throws.
#pragma once

#include <memory>

#include "input/digested_reader.hpp"
#include "input/input_digest.hpp"
#include "input/selection.hpp"

namespace longhaul::input {

class SelectedReader : public DigestedReader {
 public:
  // `beginning`: the digest before the first record; its form is what counts.
  SelectedReader(std::unique_ptr<RecordReader> input, std::unique_ptr<Selection> selection,
                 const InputHash& beginning = {});

  std::optional<Record> next() override;
  const std::vector<std::string>& kept_columns() const override { return input_->kept_columns(); }
  InputPosition position() const override;
  bool seek(const InputPosition& position) override;
  InputProgress progress() const override;
  std::vector<SourceIdentity> sources() const override { return input_->sources(); }
  bool sources_tell_all() const override { return input_->sources_tell_all(); }

  std::uint64_t read_to(std::uint64_t position) override;

 private:
  bool take(const Record& record);  // whether it is wanted

  std::unique_ptr<RecordReader> input_;
  std::unique_ptr<Selection> selection_;
  InputDigest digest_;
  InputDigest selected_;     // of sums alone
  std::uint64_t read_ = 0;   // of the input
  std::uint64_t given_ = 0;  // of those, the ones that the selection wanted
};

}  // namespace longhaul::input
