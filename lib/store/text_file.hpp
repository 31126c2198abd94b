// A text file that only grows, buffered, with a hash of what came since the last commit.
// One thread, the store's. Failures of the file system are Error(kIo).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/files.hpp"
#include "base/hash.hpp"

namespace longhaul::store {

class TextFile {
 public:
  // Cuts the file to `size` and appends there.
  TextFile(std::unique_ptr<File> file, std::uint64_t size);

  void append(std::string_view text);
  void sync();
  std::uint64_t size() const { return written_ + buffer_.size(); }
  // Hash of what was appended since start_segment().
  std::uint64_t segment_hash() const { return hash_.value(); }
  void start_segment() { hash_.reset(); }

 private:
  void flush();

  std::unique_ptr<File> file_;
  std::uint64_t written_;
  std::string buffer_;
  RunningHash64 hash_;
  bool dirty_ = true;
};

}  // namespace longhaul::store
