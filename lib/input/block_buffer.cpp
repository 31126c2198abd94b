#include "input/block_buffer.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace longhaul::input {

BlockBuffer::BlockBuffer(std::unique_ptr<ByteSource> source, std::size_t block_bytes,
                         std::uint64_t longest)
    : source_(std::move(source)),
      block_bytes_(std::max<std::size_t>(block_bytes, 1)),
      longest_(longest) {
  buffer_.resize(2 * block_bytes_);
}

// Moves what is kept to the front, and gives back what one very long line had claimed.
void BlockBuffer::drop(std::uint64_t before) {
  const std::size_t kept = end() - before;
  std::memmove(buffer_.data(), buffer_.data() + (before - base_), kept);
  base_ = before;
  size_ = kept;
  if (buffer_.size() > 16 * block_bytes_ && kept < block_bytes_) {
    buffer_.resize(2 * block_bytes_);
    buffer_.shrink_to_fit();
  }
}

bool BlockBuffer::refill(std::uint64_t keep) {
  if (ended_) {
    return false;
  }
  if (keep > base_) {
    drop(keep);
  }
  if (size_ + block_bytes_ > buffer_.size()) {
    // Doubled, but never beyond what the longest piece that is kept needs.
    const std::uint64_t most = longest_ + 2 * block_bytes_;
    const std::uint64_t doubled = std::min<std::uint64_t>(2 * size_, most);
    buffer_.resize(std::max(size_ + block_bytes_, static_cast<std::size_t>(doubled)));
  }
  const std::size_t got = source_->read({buffer_.data() + size_, block_bytes_});
  size_ += got;
  ended_ = got == 0;
  return !ended_;
}

bool BlockBuffer::seek(std::uint64_t byte) {
  if (!source_->seek(byte)) {
    return false;
  }
  base_ = byte;
  size_ = 0;
  ended_ = false;
  return true;
}

}  // namespace longhaul::input
