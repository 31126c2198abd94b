// Counts records whose id occurred before, in bounded memory: 64-bit hashes of up to kMostIds
// different ids (64 MiB), so a count is wrong only by a collision of hashes. Ids beyond those are
// not remembered, and the count is then a lower bound. One thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace longhaul::run {

class RepeatedIds {
 public:
  static constexpr std::size_t kMostIds = std::size_t{1} << 22;

  explicit RepeatedIds(std::size_t most_ids = kMostIds) : most_ids_(most_ids) {}

  // Whether it was given before; remembers it.
  bool repeats(std::string_view id);
  // An id could not be remembered.
  bool overflowed() const { return overflowed_; }

 private:
  std::size_t slot_of(std::uint64_t hash) const;  // where it is, or would be
  void grow();

  std::size_t most_ids_;
  std::size_t used_ = 0;
  bool overflowed_ = false;
  std::vector<std::uint64_t> slots_ = std::vector<std::uint64_t>(1024);  // 0: free
};

}  // namespace longhaul::run
