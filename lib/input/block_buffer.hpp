// What is in hand of a source's bytes, read by large blocks. A byte is named by where it stands in
// the source, so that its name stays when what comes before it is dropped.
// Owns the source. One thread at a time. Error(kIo) from the source.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "input/byte_source.hpp"

namespace longhaul::input {

class BlockBuffer {
 public:
  // Reads `block_bytes` at a time. `longest`: of what stays in hand from block to block.
  BlockBuffer(std::unique_ptr<ByteSource> source, std::size_t block_bytes, std::uint64_t longest);

  std::size_t block_bytes() const { return block_bytes_; }
  // Behind the last byte that was read; and whether it is the source's last one.
  std::uint64_t end() const { return base_ + size_; }
  bool ended() const { return ended_; }

  // Of what is in hand: bytes from `keep` of the last refill() on, up to end().
  char at(std::uint64_t byte) const { return buffer_[byte - base_]; }
  // Bytes [from, to). Valid until the next refill() or seek().
  std::string_view text(std::uint64_t from, std::uint64_t to) const {
    return {buffer_.data() + (from - base_), to - from};
  }

  // Reads one more block; false at the end of the source. Bytes before `keep` may be dropped.
  bool refill(std::uint64_t keep);
  // Goes on from this byte, with nothing in hand. False, with nothing moved, where the source
  // cannot.
  bool seek(std::uint64_t byte);
  // Of the file as it is stored, with all that was read.
  std::uint64_t stored_bytes_read() const { return source_->stored_bytes_read(); }

 private:
  void drop(std::uint64_t before);

  std::unique_ptr<ByteSource> source_;
  std::size_t block_bytes_;
  std::uint64_t longest_;
  std::vector<char> buffer_;
  std::size_t size_ = 0;    // of what is in hand
  std::uint64_t base_ = 0;  // the source's byte at buffer_[0]
  bool ended_ = false;
};

}  // namespace longhaul::input
