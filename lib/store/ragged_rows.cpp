#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "store/array_sink.hpp"
#include "store/npy.hpp"
#include "store/store_layout.hpp"
#include "store/stored_values.hpp"

namespace longhaul::store {
namespace {

std::uint64_t offset_at(std::uint64_t row) {
  return kNpyHeaderBytes + row * sizeof(std::int64_t);
}

}  // namespace

RaggedRows::RaggedRows(const OutputSpec& output, std::unique_ptr<File> data,
                       std::unique_ptr<File> offsets, const ArrayClaim& claim)
    : output_(output),
      data_(std::move(data)),
      offsets_(std::move(offsets)),
      rows_(claim.rows),
      written_(claim.vectors),
      window_(claim.rows) {
  const bool begins = claim == ArrayClaim{};
  if (!begins && written_ > first_vector(rows_)) {
    throw Error(ExitCode::kBadData,
                "the offsets of " + output_.name + " end at vector " +
                    std::to_string(first_vector(rows_)) + ", and the journal claims " +
                    std::to_string(written_),
                "restore the files from a copy, or start anew with --overwrite");
  }
  firsts_ = {begins ? 0 : first_vector(rows_)};
  cut();
  const std::vector<std::byte> blank(kNpyHeaderBytes);
  data_.write_now(0, blank);
  offsets_.write_now(0, blank);
  if (begins) {
    write_offset(0, 0);
  }
}

void RaggedRows::write_offset(std::uint64_t row, std::uint64_t first) {
  const auto value = static_cast<std::int64_t>(first);
  std::memcpy(offsets_.piece(offset_at(row), sizeof(value)).data(), &value, sizeof(value));
}

std::uint64_t RaggedRows::first_vector(std::uint64_t row) {
  if (!firsts_.empty() && row >= window_ && row - window_ < firsts_.size()) {
    return firsts_[row - window_];
  }
  std::int64_t first = -1;
  const std::vector<std::byte> found = offsets_.read(offset_at(row), sizeof(first));
  if (found.size() == sizeof(first)) {
    std::memcpy(&first, found.data(), sizeof(first));
  }
  if (first < 0) {
    throw Error(ExitCode::kBadData,
                "the offsets of " + output_.name + " do not say where row " + std::to_string(row) +
                    " begins",
                "restore the files from a copy, or start anew with --overwrite");
  }
  return static_cast<std::uint64_t>(first);
}

void RaggedRows::place(std::uint64_t first_row, std::span<const std::uint32_t> vectors) {
  if (first_row > rows_) {
    throw Error(ExitCode::kInternal, "row " + std::to_string(first_row) + " of " + output_.name +
                                         " is placed behind " + std::to_string(rows_));
  }
  std::vector<std::uint64_t> firsts{first_vector(first_row)};
  for (const std::uint32_t count : vectors) {
    firsts.push_back(firsts.back() + count);
  }
  const std::uint64_t end = first_row + vectors.size();
  if (first_row < rows_ && end < rows_) {
    throw Error(ExitCode::kInternal, "fewer rows of " + output_.name + " than are placed already");
  }
  // What is placed already lies where it did.
  for (std::uint64_t row = first_row; row <= std::min(end, rows_); ++row) {
    if (first_vector(row) != firsts[row - first_row]) {
      throw Error(ExitCode::kBadData,
                  "row " + std::to_string(row) + " of " + output_.name + " began at vector " +
                      std::to_string(first_vector(row)) + " and now at " +
                      std::to_string(firsts[row - first_row]) + ": the input has changed",
                  "restore the input, or start anew with --overwrite");
    }
  }
  for (std::uint64_t row = rows_ + 1; row <= end; ++row) {
    write_offset(row, firsts[row - first_row]);
  }
  rows_ = std::max(rows_, end);
  window_ = first_row;
  firsts_ = std::move(firsts);
}

RaggedRows::Extent RaggedRows::extent(std::uint64_t row) {
  if (row >= rows_) {
    throw Error(ExitCode::kInternal,
                "row " + std::to_string(row) + " of " + output_.name + " has no place");
  }
  const std::uint64_t first = first_vector(row);
  return {first, first_vector(row + 1) - first};
}

std::span<std::byte> RaggedRows::piece(const Extent& place) {
  if (place.count == 0) {
    return {};
  }
  written_ = std::max(written_, place.first + place.count);
  const std::uint64_t bytes = vector_bytes(output_);
  return data_.piece(kNpyHeaderBytes + place.first * bytes, place.count * bytes);
}

std::optional<std::span<const std::byte>> RaggedRows::put(std::uint64_t row,
                                                          std::span<const float> values) {
  const Extent place = extent(row);
  if (values.size() != place.count * output_.dimension) {
    throw Error(ExitCode::kInternal, std::to_string(values.size()) + " numbers for the " +
                                         std::to_string(place.count) + " vectors of row " +
                                         std::to_string(row) + " of " + output_.name);
  }
  if (!is_storable(values, output_.dtype)) {
    return std::nullopt;
  }
  const std::span<std::byte> bytes = piece(place);
  encode_values(values, output_.dtype, bytes);
  return bytes;
}

std::span<const std::byte> RaggedRows::put_nan(std::uint64_t row) {
  const std::span<std::byte> bytes = piece(extent(row));
  fill_nan(output_.dtype, bytes);
  return bytes;
}

std::vector<std::byte> RaggedRows::get(std::uint64_t row) {
  const Extent place = extent(row);
  const std::uint64_t bytes = vector_bytes(output_);
  return data_.read(kNpyHeaderBytes + place.first * bytes, place.count * bytes);
}

void RaggedRows::flush() {
  data_.flush();
  offsets_.flush();
}

ArrayClaim RaggedRows::claim(std::uint64_t rows) {
  const std::uint64_t claimed = std::min(rows, rows_);
  return {claimed, std::min(written_, first_vector(claimed))};
}

// The offsets last: they name nothing that is not there.
void RaggedRows::sync() {
  data_.sync();
  offsets_.sync();
}

void RaggedRows::forget(std::uint64_t rows) {
  const std::uint64_t first = first_vector(rows);
  rows_ = rows;
  written_ = std::min(written_, first);
  window_ = rows;
  firsts_ = {first};
}

void RaggedRows::cut() {
  data_.cut(kNpyHeaderBytes + written_ * vector_bytes(output_));
  offsets_.cut(offset_at(rows_ + 1));
}

void RaggedRows::finish(std::uint64_t rows) {
  if (rows != rows_ || written_ != first_vector(rows)) {
    throw Error(ExitCode::kInternal, output_.name + " is finished with " + std::to_string(rows) +
                                         " rows, of which " + std::to_string(rows_) +
                                         " are placed");
  }
  sync();
  data_.write_now(0, bytes_of(array_header(output_, written_)));
  offsets_.write_now(0, bytes_of(offsets_header(rows)));
  sync();
}

}  // namespace longhaul::store
