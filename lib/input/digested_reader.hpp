// A reader that gives out some of the records of an input, their rows counted from 0, and keeps
// beside them the digest and the number of all its records, and the digest of those it gave out.
// A position of it stands behind the record that was given last: what was passed over on the way
// there is part of it, what will be passed over next is not. After next() has given nothing it
// stands at the end of the input.
// One thread at a time.
#pragma once

#include <cstdint>

#include "input/record_reader.hpp"

namespace longhaul::input {

class DigestedReader : public RecordReader {
 public:
  static constexpr std::uint64_t kEnd = ~std::uint64_t{0};

  // Goes to that position of the input, or to its end, giving nothing out. How many records of the
  // input are behind it then: fewer than `position` where the input ends before it.
  virtual std::uint64_t read_to(std::uint64_t position) = 0;
};

}  // namespace longhaul::input
