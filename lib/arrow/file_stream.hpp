// A File as Arrow writes to one. Arrow knows no exceptions: what the file throws is kept, Arrow
// gets a failed status, and who called Arrow takes the error back. One thread.
#pragma once

#include <arrow/io/interfaces.h>
#include <arrow/result.h>

#include <cstdint>
#include <exception>
#include <memory>

#include "base/files.hpp"

namespace longhaul::arrow_room {

class FileStream : public arrow::io::OutputStream {
 public:
  explicit FileStream(std::unique_ptr<File> file) : file_(std::move(file)) {}

  using arrow::io::OutputStream::Write;
  arrow::Status Write(const void* data, std::int64_t size) override;
  arrow::Result<std::int64_t> Tell() const override { return static_cast<std::int64_t>(offset_); }
  arrow::Status Close() override;
  bool closed() const override { return closed_; }

  // What the file threw, if it did.
  void rethrow() const;
  void sync() { file_->sync(); }

 private:
  std::unique_ptr<File> file_;
  std::uint64_t offset_ = 0;
  bool closed_ = false;
  std::exception_ptr error_;
};

}  // namespace longhaul::arrow_room
