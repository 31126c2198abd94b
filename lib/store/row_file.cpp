#include "store/row_file.hpp"

#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "store/npy.hpp"
#include "store/stored_values.hpp"

namespace longhaul::store {
namespace {

std::uint64_t checksum_at(std::uint64_t row) {
  return kNpyHeaderBytes + row * sizeof(std::uint64_t);
}

}  // namespace

RowFile::RowFile(const OutputSpec& output, std::unique_ptr<File> embeddings,
                 std::unique_ptr<File> checksums, std::uint64_t rows)
    : output_(output),
      vectors_(output, std::move(embeddings), {rows, rows}),
      checksums_(std::move(checksums)) {
  checksums_.cut(checksum_at(rows));
  checksums_.write_now(0, std::vector<std::byte>(kNpyHeaderBytes));
}

void RowFile::put_checksum(std::uint64_t row, std::span<const std::byte> bytes) {
  const std::uint64_t sum = hash64(bytes);
  std::memcpy(checksums_.piece(checksum_at(row), sizeof(sum)).data(), &sum, sizeof(sum));
}

bool RowFile::put(std::uint64_t row, std::span<const float> vector) {
  const auto bytes = vectors_.put(row, vector);
  if (bytes) {
    put_checksum(row, *bytes);
  }
  return bytes.has_value();
}

void RowFile::put_nan(std::uint64_t row) {
  put_checksum(row, vectors_.put_nan(row));
}

std::optional<std::vector<std::byte>> RowFile::stored(std::uint64_t row) {
  std::vector<std::byte> bytes = vectors_.get(row);
  const std::vector<std::byte> found = checksums_.read(checksum_at(row), sizeof(std::uint64_t));
  std::uint64_t sum = 0;
  if (bytes.size() < vector_bytes(output_) || found.size() < sizeof(sum)) {
    return std::nullopt;
  }
  std::memcpy(&sum, found.data(), sizeof(sum));
  return hash64(bytes) == sum ? std::optional(std::move(bytes)) : std::nullopt;
}

std::vector<float> RowFile::get(std::uint64_t row) {
  const auto bytes = stored(row);
  if (!bytes) {
    throw Error(ExitCode::kBadData,
                "row " + std::to_string(row) + " of embeddings.npy does not match its checksum");
  }
  std::vector<float> vector(output_.dimension);
  decode_values(*bytes, output_.dtype, vector);
  return vector;
}

void RowFile::flush() {
  vectors_.flush();
  checksums_.flush();
}

// Both are written before one is waited for.
void RowFile::sync() {
  flush();
  vectors_.sync();
  checksums_.sync();
}

void RowFile::cut() {
  vectors_.cut();
  checksums_.cut(checksum_at(rows()));
}

void RowFile::finish(std::uint64_t rows) {
  sync();
  vectors_.finish(rows);
  checksums_.write_now(0, bytes_of(checksums_header(rows)));
  checksums_.sync();
}

}  // namespace longhaul::store
