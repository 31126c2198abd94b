#include "store/text_file.hpp"

namespace longhaul::store {

constexpr std::size_t kBufferBytes = 1U << 20;

TextFile::TextFile(std::unique_ptr<File> file, std::uint64_t size)
    : file_(std::move(file)), written_(size) {
  file_->truncate(size);
}

void TextFile::append(std::string_view text) {
  buffer_ += text;
  hash_.add(text);
  if (buffer_.size() >= kBufferBytes) {
    flush();
  }
}

void TextFile::flush() {
  if (!buffer_.empty()) {
    dirty_ = true;
    file_->write_at(written_, bytes_of(buffer_));
    written_ += buffer_.size();
    buffer_.clear();
  }
}

void TextFile::sync() {
  flush();
  if (dirty_) {
    file_->sync();
    dirty_ = false;
  }
}

}  // namespace longhaul::store
