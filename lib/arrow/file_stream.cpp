#include "arrow/file_stream.hpp"

#include <arrow/result.h>
#include <arrow/status.h>

#include <span>

namespace longhaul::arrow_room {

arrow::Status FileStream::Write(const void* data, std::int64_t size) {
  if (error_) {
    return arrow::Status::IOError("an earlier write failed");
  }
  try {
    file_->write_at(offset_,
                    std::span(static_cast<const std::byte*>(data), static_cast<std::size_t>(size)));
  } catch (...) {
    error_ = std::current_exception();
    return arrow::Status::IOError("the file took no more");
  }
  offset_ += static_cast<std::uint64_t>(size);
  return arrow::Status::OK();
}

arrow::Status FileStream::Close() {
  closed_ = true;
  return arrow::Status::OK();
}

void FileStream::rethrow() const {
  if (error_) {
    std::rethrow_exception(error_);
  }
}

}  // namespace longhaul::arrow_room
