// Which records were seen before. The one thing whose memory grows with the input: 27 to 40 bytes a
// record for contents, 18 to 27 for likenesses (memory_bytes() says how much). Nothing is written:
// what a resumed run needs is in records.csv, whose accepted rows are put in again in order.
// One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/hash.hpp"

namespace longhaul::prepare {

class DuplicateFilter {
 public:
  enum class Key {
    kContent,   // 128-bit hash of it
    kLikeness,  // 64-bit hash of the picture
  };
  explicit DuplicateFilter(Key key);

  // The row of the first record with this key, or nothing when it is this one. Rows are offered in
  // ascending order; one may be offered again.
  std::optional<std::uint64_t> first_of(const Hash128& content, std::uint64_t row);
  std::optional<std::uint64_t> first_of(std::uint64_t likeness, std::uint64_t row);

  std::uint64_t records() const { return used_; }
  std::uint64_t memory_bytes() const;

 private:
  std::size_t place_of(const Hash128& key) const;
  void grow();

  bool wide_;
  std::uint64_t used_ = 0;
  std::vector<std::uint64_t> low_;
  std::vector<std::uint64_t> high_;  // empty for likenesses
  std::vector<std::uint64_t> row_;   // one more than the row; 0: a free place
};

}  // namespace longhaul::prepare
