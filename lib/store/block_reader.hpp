// Stretches of a file, read ahead in blocks where they follow one another. Memory is one block, or
// the longest stretch asked for. One thread. Errors of the file system are Error(kIo).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/files.hpp"

namespace longhaul::store {

class BlockReader {
 public:
  explicit BlockReader(std::unique_ptr<File> file) : file_(std::move(file)) {}

  // Fewer bytes than `size` only where the file ends. Valid until the next call.
  std::span<const std::byte> at(std::uint64_t offset, std::size_t size);
  std::uint64_t file_size() { return file_->size(); }

 private:
  std::unique_ptr<File> file_;
  std::uint64_t begin_ = 0;  // of the block
  std::vector<std::byte> block_;
};

}  // namespace longhaul::store
