// The records of an input that a Selection wants, their rows counted from 0; and, beside them, the
// digest and the number of all its records, selected or not, and the digest of those that are.
// Every run reads through one.
// A position of it stands behind the record that was given last: what was passed over on the way
// there is part of it, what will be passed over next is not. After next() has given nothing it
// stands at the end of the input.
// Owns what it reads from; one thread at a time. Throws what that throws.
#pragma once

#include <memory>

#include "input/input_digest.hpp"
#include "input/record_reader.hpp"
#include "input/selection.hpp"

namespace longhaul::input {

class SelectedReader : public RecordReader {
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

  // Reads to that position of the input, or to its end, giving nothing out. The records read so
  // far: fewer than `position` where the input ends before it.
  std::uint64_t read_to(std::uint64_t position);
  static constexpr std::uint64_t kEnd = ~std::uint64_t{0};

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
