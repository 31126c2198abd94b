#include "prepare/duplicate_filter.hpp"

#include <utility>

namespace longhaul::prepare {
namespace {

// Spreads the bits of likenesses, many of which are nearly the same (the finaliser of SplitMix64).
std::uint64_t spread(std::uint64_t value) {
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9U;
  value = (value ^ value >> 27) * 0x94D049BB133111EBU;
  return value ^ value >> 31;
}

}  // namespace

DuplicateFilter::DuplicateFilter(Key key) : wide_(key == Key::kContent) {
  grow();
}

// Where the key is, or the free place where it belongs.
std::size_t DuplicateFilter::place_of(const Hash128& key) const {
  std::size_t place = spread(key.low) % row_.size();
  while (row_[place] != 0 && (low_[place] != key.low || (wide_ && high_[place] != key.high))) {
    place = place + 1 == row_.size() ? 0 : place + 1;
  }
  return place;
}

void DuplicateFilter::grow() {
  const std::size_t size = row_.empty() ? 1024 : row_.size() + row_.size() / 2;
  const std::vector<std::uint64_t> low = std::exchange(low_, std::vector<std::uint64_t>(size));
  const std::vector<std::uint64_t> high =
      std::exchange(high_, std::vector<std::uint64_t>(wide_ ? size : 0));
  const std::vector<std::uint64_t> rows = std::exchange(row_, std::vector<std::uint64_t>(size));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] != 0) {
      const Hash128 key{wide_ ? high[i] : 0, low[i]};
      const std::size_t place = place_of(key);
      low_[place] = key.low;
      row_[place] = rows[i];
      if (wide_) {
        high_[place] = key.high;
      }
    }
  }
}

std::optional<std::uint64_t> DuplicateFilter::first_of(const Hash128& content, std::uint64_t row) {
  std::size_t place = place_of(content);
  if (row_[place] != 0) {
    return row_[place] - 1 == row ? std::nullopt : std::optional(row_[place] - 1);
  }
  if ((used_ + 1) * 10 > row_.size() * 9) {
    grow();
    place = place_of(content);
  }
  ++used_;
  low_[place] = content.low;
  row_[place] = row + 1;
  if (wide_) {
    high_[place] = content.high;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> DuplicateFilter::first_of(std::uint64_t likeness, std::uint64_t row) {
  return first_of(Hash128{0, likeness}, row);
}

std::uint64_t DuplicateFilter::memory_bytes() const {
  return (low_.capacity() + high_.capacity() + row_.capacity()) * sizeof(std::uint64_t);
}

}  // namespace longhaul::prepare
