#include "h5/appender.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "h5/attributes.hpp"

namespace longhaul::h5 {
namespace {

constexpr std::size_t kChunkBytes = 1U << 20;
// Of text held back, its places aside.
constexpr std::size_t kTextBytes = 1U << 20;
constexpr std::size_t kTexts = 1U << 14;
// What a text takes in its dataset: where in the file it lies.
constexpr std::size_t kTextPlace = 16;

}  // namespace

Appender::Appender(hid_t folder, std::string name, const Elements& elements)
    : folder_(folder),
      name_(std::move(name)),
      elements_(elements),
      row_bytes_(elements.bytes * std::max<std::size_t>(elements.in_row, 1)),
      chunk_rows_(std::max<std::size_t>(kChunkBytes / std::max(row_bytes_, kTextPlace), 1)) {}

void Appender::create(bool last) {
  const int dimensions = elements_.in_row == 0 ? 1 : 2;
  const hsize_t size[] = {last ? rows_in_hand() : 0, elements_.in_row};
  const hsize_t most[] = {last ? size[0] : H5S_UNLIMITED, elements_.in_row};
  const hsize_t chunk[] = {chunk_rows_, elements_.in_row};
  const Handle space(H5Screate_simple(dimensions, size, most), &H5Sclose, "a dataspace");
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE), &H5Pclose, "a creation list");
  require(H5Pset_obj_track_times(creation.id(), 0), "a creation list");
  if (!last) {
    require(H5Pset_chunk(creation.id(), dimensions, chunk), "chunks");
  }
  dataset_ = Handle(H5Dcreate2(folder_, name_.c_str(), elements_.file_type, space.id(), H5P_DEFAULT,
                               creation.id(), H5P_DEFAULT),
                    &H5Dclose, "a dataset");
}

void Appender::add(const void* elements, std::size_t count) {
  const auto* bytes = static_cast<const std::byte*>(elements);
  for (std::size_t left = count * elements_.bytes; left > 0;) {
    const std::size_t some = std::min(left, chunk_rows_ * row_bytes_ - buffer_.size());
    buffer_.insert(buffer_.end(), bytes, bytes + some);
    bytes += some;
    left -= some;
    if (buffer_.size() == chunk_rows_ * row_bytes_) {
      write(false);
    }
  }
}

void Appender::write(bool last) {
  const hsize_t rows = rows_in_hand();
  if (rows == 0 && !last) {
    return;
  }
  if (dataset_.id() < 0) {
    create(last);
  }
  if (rows == 0) {
    return;
  }
  const int dimensions = elements_.in_row == 0 ? 1 : 2;
  const hsize_t begin[] = {written_, 0};
  const hsize_t some[] = {rows, elements_.in_row};
  written_ += rows;
  const hsize_t size[] = {written_, elements_.in_row};
  if (begin[0] > 0 || !last) {
    require(H5Dset_extent(dataset_.id(), size), "more rows");
  }
  const Handle space(H5Dget_space(dataset_.id()), &H5Sclose, "a dataspace");
  require(H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, begin, nullptr, some, nullptr), "rows");
  const Handle memory(H5Screate_simple(dimensions, some, nullptr), &H5Sclose, "a dataspace");
  require(H5Dwrite(dataset_.id(), elements_.memory_type, memory.id(), space.id(), H5P_DEFAULT,
                   buffer_.data()),
          "rows");
  buffer_.clear();
}

void Appender::flush() {
  write(false);
}

void Appender::finish() {
  write(true);
  dataset_ = Handle();
}

TextAppender::TextAppender(hid_t folder, std::string name)
    : type_(text_type()),
      places_(folder, std::move(name),
              {.file_type = type_.id(), .memory_type = type_.id(), .bytes = sizeof(char*)}) {}

void TextAppender::add(std::string_view text) {
  begins_.push_back(characters_.size());
  characters_.append(text).push_back('\0');
  if (characters_.size() >= kTextBytes || begins_.size() >= kTexts) {
    write();
  }
}

void TextAppender::hand_over() {
  std::vector<const char*> texts;
  for (const std::size_t begin : begins_) {
    texts.push_back(characters_.data() + begin);
  }
  places_.add(texts.data(), texts.size());
}

void TextAppender::write() {
  hand_over();
  places_.flush();
  begins_.clear();
  characters_.clear();
}

void TextAppender::finish() {
  hand_over();
  places_.finish();
}

}  // namespace longhaul::h5
