#include "store/row_file.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "store/npy.hpp"
#include "store/stored_values.hpp"

namespace longhaul::store {
namespace {

constexpr std::uint64_t kGatherBytes = 8ULL << 20;

}  // namespace

RowFile::RowFile(const OutputSpec& output, std::unique_ptr<File> embeddings,
                 std::unique_ptr<File> checksums, std::uint64_t rows)
    : output_(output),
      row_bytes_(vector_bytes(output)),
      embeddings_(std::move(embeddings)),
      checksums_(std::move(checksums)),
      rows_(rows) {
  cut();
  const std::vector<std::byte> blank(kNpyHeaderBytes);
  embeddings_->write_at(0, blank);
  checksums_->write_at(0, blank);
}

void RowFile::cut() {
  embeddings_->truncate(kNpyHeaderBytes + rows_ * row_bytes_);
  checksums_->truncate(kNpyHeaderBytes + rows_ * sizeof(std::uint64_t));
}

std::span<std::byte> RowFile::slot(std::uint64_t row) {
  if (gathered_.size() + row_bytes_ > kGatherBytes && !pending_.contains(row)) {
    flush();
  }
  const auto [entry, added] = pending_.try_emplace(row, pending_.size());
  if (added) {
    gathered_.resize(gathered_.size() + row_bytes_);
  }
  rows_ = std::max(rows_, row + 1);
  return std::span(gathered_).subspan(entry->second * row_bytes_, row_bytes_);
}

bool RowFile::put(std::uint64_t row, std::span<const float> vector) {
  if (vector.size() != output_.dimension) {
    throw Error(ExitCode::kInternal, "a vector of " + std::to_string(vector.size()) +
                                         " components for rows of " +
                                         std::to_string(output_.dimension));
  }
  if (!is_storable(vector, output_.dtype)) {
    return false;
  }
  encode_values(vector, output_.dtype, slot(row));
  return true;
}

void RowFile::put_nan(std::uint64_t row) {
  fill_nan(output_.dtype, slot(row));
}

std::vector<float> RowFile::get(std::uint64_t row) {
  flush();
  if (!intact(row)) {
    throw Error(ExitCode::kBadData,
                "row " + std::to_string(row) + " of embeddings.npy does not match its checksum");
  }
  std::vector<float> vector(output_.dimension);
  decode_values(run_, output_.dtype, vector);
  return vector;
}

bool RowFile::intact(std::uint64_t row) {
  flush();
  run_.resize(row_bytes_);
  std::uint64_t checksum = 0;
  const std::size_t got = embeddings_->read_at(kNpyHeaderBytes + row * row_bytes_, run_);
  const std::size_t got_checksum = checksums_->read_at(
      kNpyHeaderBytes + row * sizeof(checksum), std::as_writable_bytes(std::span(&checksum, 1)));
  return got == row_bytes_ && got_checksum == sizeof(checksum) && hash64(run_) == checksum;
}

void RowFile::flush() {
  std::vector<std::size_t> slots;
  std::uint64_t first = 0;
  for (const auto& [row, slot] : pending_) {
    if (!slots.empty() && row != first + slots.size()) {
      write_run(first, slots);
      slots.clear();
    }
    if (slots.empty()) {
      first = row;
    }
    slots.push_back(slot);
  }
  if (!slots.empty()) {
    write_run(first, slots);
  }
  pending_.clear();
  gathered_.clear();
}

void RowFile::write_run(std::uint64_t first, std::span<const std::size_t> slots) {
  run_.resize(slots.size() * row_bytes_);
  std::vector<std::uint64_t> sums(slots.size());
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const std::span row =
        std::span(std::as_const(gathered_)).subspan(slots[i] * row_bytes_, row_bytes_);
    std::copy(row.begin(), row.end(), run_.begin() + static_cast<std::ptrdiff_t>(i * row_bytes_));
    sums[i] = hash64(row);
  }
  const std::uint64_t offset = kNpyHeaderBytes + first * row_bytes_;
  dirty_ = true;
  embeddings_->write_at(offset, run_);
  checksums_->write_at(kNpyHeaderBytes + first * sizeof(std::uint64_t),
                       std::as_bytes(std::span(sums)));
  embeddings_->start_writeback(offset, run_.size());
}

void RowFile::sync() {
  flush();
  if (dirty_) {
    embeddings_->sync();
    checksums_->sync();
    dirty_ = false;
  }
}

void RowFile::finish(std::uint64_t rows) {
  sync();
  embeddings_->write_at(0, bytes_of(array_header(output_, rows)));
  checksums_->write_at(0, bytes_of(checksums_header(rows)));
  embeddings_->sync();
  checksums_->sync();
}

}  // namespace longhaul::store
