#include <algorithm>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "store/array_sink.hpp"
#include "store/npy.hpp"
#include "store/store_layout.hpp"
#include "store/stored_values.hpp"

namespace longhaul::store {

FixedRows::FixedRows(const OutputSpec& output, std::unique_ptr<File> file, const ArrayClaim& claim)
    : output_(output), file_(std::move(file)), rows_(claim.rows) {
  cut();
  file_.write_now(0, std::vector<std::byte>(kNpyHeaderBytes));
}

std::span<std::byte> FixedRows::piece(std::uint64_t row) {
  rows_ = std::max(rows_, row + 1);
  const std::uint64_t bytes = vector_bytes(output_);
  return file_.piece(kNpyHeaderBytes + row * bytes, bytes);
}

std::optional<std::span<const std::byte>> FixedRows::put(std::uint64_t row,
                                                         std::span<const float> values) {
  if (values.size() != output_.dimension) {
    throw Error(ExitCode::kInternal, "a vector of " + std::to_string(values.size()) +
                                         " components for rows of " +
                                         std::to_string(output_.dimension));
  }
  if (!is_storable(values, output_.dtype)) {
    return std::nullopt;
  }
  const std::span<std::byte> bytes = piece(row);
  encode_values(values, output_.dtype, bytes);
  return bytes;
}

std::span<const std::byte> FixedRows::put_nan(std::uint64_t row) {
  const std::span<std::byte> bytes = piece(row);
  fill_nan(output_.dtype, bytes);
  return bytes;
}

std::vector<std::byte> FixedRows::get(std::uint64_t row) {
  const std::uint64_t bytes = vector_bytes(output_);
  return file_.read(kNpyHeaderBytes + row * bytes, bytes);
}

ArrayClaim FixedRows::claim(std::uint64_t rows) {
  const std::uint64_t claimed = std::min(rows, rows_);
  return {claimed, claimed};
}

void FixedRows::cut() {
  file_.cut(kNpyHeaderBytes + rows_ * vector_bytes(output_));
}

void FixedRows::finish(std::uint64_t rows) {
  file_.sync();
  file_.write_now(0, bytes_of(array_header(output_, rows)));
  file_.sync();
}

}  // namespace longhaul::store
