#include "store/block_reader.hpp"

#include <algorithm>
#include <utility>

namespace longhaul::store {

std::span<const std::byte> BlockReader::at(std::uint64_t offset, std::size_t size) {
  constexpr std::size_t kAhead = 4U << 20;
  const std::uint64_t end = begin_ + block_.size();
  if (offset < begin_ || offset + size > end) {
    // A stretch by itself is read alone.
    const bool follows = offset >= begin_ && offset <= end && end > 0;
    const std::uint64_t left = file_->size() - std::min(file_->size(), offset);
    block_.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(follows ? std::max(size, kAhead) : size, left)));
    block_.resize(file_->read_at(offset, block_));
    begin_ = offset;
  }
  const std::size_t from = static_cast<std::size_t>(offset - begin_);
  return std::span(std::as_const(block_))
      .subspan(std::min(from, block_.size()),
               std::min(size, block_.size() - std::min(from, block_.size())));
}

}  // namespace longhaul::store
