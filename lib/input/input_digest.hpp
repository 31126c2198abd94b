// A hash of the content of an input, whatever its path and compression, that adds up: the digests
// of its parts, each record at its position in the whole, are together the whole's.
//
// It is the sum modulo 2^128 over all records, good and bad, of the 128-bit XXH3 of a record's
// position, id, payload, kept values and reason of its defect, each text with its length before it.
// An image's payload is its size: its bytes are too many to read twice. What guards those is their
// hash in records.csv; and the `times` of the files, summed likewise beside the content, say when
// to look there: while a file keeps its time and size it is not read again, where a time differs
// image_match compares the bytes. A time is never part of the content, so that shards on several
// machines agree about copies of one folder.
// Values; one thread at a time.
#pragma once

#include <string>

#include "domain/input_hash.hpp"
#include "domain/record.hpp"

namespace longhaul::input {

class InputDigest {
 public:
  InputDigest() = default;
  // Continues after `value`, in its form.
  explicit InputDigest(const InputHash& value) : value_(value) {}
  // Of an input, from its beginning, for comparison with `value`.
  static InputDigest in_form_of(const InputHash& value) {
    return InputDigest(InputHash{.content = {}, .times = {}, .form = value.form});
  }

  // Gives what a record added; of a chain, the chain.
  InputHash add(const Record& record);
  // A part of the same input that was digested elsewhere. Of sums only.
  void add(const InputHash& part);

  const InputHash& value() const { return value_; }

 private:
  InputHash value_;
  std::string scratch_;
};

}  // namespace longhaul::input
