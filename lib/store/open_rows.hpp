// The rows of a store that are in no complete window: where they begin, and which of them were put
// in this session. A value; one thread at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace longhaul::store {

class OpenRows {
 public:
  explicit OpenRows(std::uint64_t first) : first_(first) {}

  // As many rows are complete.
  std::uint64_t first() const { return first_; }
  bool contains(std::uint64_t row) const { return row >= first_; }
  bool any_put() const { return !put_.empty(); }

  // Of a row that is contained.
  bool is_put(std::uint64_t row) const { return row - first_ < put_.size() && put_[row - first_]; }
  void put(std::uint64_t row) {
    if (row - first_ >= put_.size()) {
      put_.resize(row - first_ + 1);
    }
    put_[row - first_] = true;
  }
  // The first `rows` are complete.
  void complete(std::size_t rows) {
    first_ += rows;
    put_.erase(put_.begin(),
               put_.begin() + static_cast<std::ptrdiff_t>(std::min(rows, put_.size())));
  }

 private:
  std::uint64_t first_;
  std::vector<bool> put_;  // by row, from first_ on
};

}  // namespace longhaul::store
