// One record embedded again, as its run did it, for `longhaul verify --recompute`.
// One thread; borrows what it is given. Throws Error.
#pragma once

#include <functional>
#include <vector>

#include "encode/encoder.hpp"
#include "plan/rows_policy.hpp"
#include "prepare/preprocessor.hpp"

namespace longhaul::session {

struct Recipe {
  const prepare::Preprocessor& preprocessor;
  encode::Encoder& encoder;
  std::function<encode::Encoder&()> fp32_fallback;  // see BatchEncoder
  const encode::EncoderCard& card;
  plan::RowsPolicy rows;  // of the run
  Normalize normalize = Normalize::kNone;
};

struct RecordAgain {
  std::vector<std::vector<float>> outputs;  // none where it has no numbers now
  bool reshaped = false;  // it did not fit in the part it had: low bits may differ
};

// In a part of the rows it had, filled up with dummies (a long one in as many as its windows take);
// and once more, as the run did, where that gives no numbers.
RecordAgain embed_again(const Recipe& recipe, Record record);

}  // namespace longhaul::session
