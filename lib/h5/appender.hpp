// A dataset that rows are appended to, of numbers or of text, in chunks of about 1 MiB; one that is
// smaller is in one piece. Memory is a chunk. One thread. Errors: kInternal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "h5/handle.hpp"

namespace longhaul::h5 {

struct Elements {
  hid_t file_type = H5I_INVALID_HID;  // of the library, or outlives the dataset
  hid_t memory_type = H5I_INVALID_HID;
  std::size_t bytes = 0;  // of one in memory
  hsize_t in_row = 0;     // 0: the dataset has one dimension
};

class Appender {
 public:
  Appender(hid_t folder, std::string name, const Elements& elements);

  // One row, or as many as there are elements for.
  void add(const void* elements, std::size_t count);
  // What was added is with the library.
  void flush();
  void finish();

 private:
  hsize_t rows_in_hand() const { return buffer_.size() / row_bytes_; }
  void write(bool last);
  void create(bool last);

  hid_t folder_;
  std::string name_;
  Elements elements_;
  std::size_t row_bytes_;
  std::size_t chunk_rows_;
  Handle dataset_;
  hsize_t written_ = 0;  // rows
  std::vector<std::byte> buffer_;
};

// Text, whose characters are held until they are written.
class TextAppender {
 public:
  TextAppender(hid_t folder, std::string name);

  void add(std::string_view text);
  void finish();

 private:
  void hand_over();
  void write();

  Handle type_;
  Appender places_;
  std::string characters_;  // each text with its end
  std::vector<std::size_t> begins_;
};

}  // namespace longhaul::h5
