#include "store/merged_arrays.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "store/npy.hpp"
#include "store/row_hash.hpp"
#include "store/stored_values.hpp"

namespace longhaul::store {
namespace {

constexpr std::size_t kNumber = sizeof(std::uint64_t);  // of an offset, of a checksum

[[noreturn]] void damaged(const std::string& where, const std::string& what,
                          const std::string& remedy) {
  throw Error(ExitCode::kBadData, where + " " + what, remedy);
}

std::uint64_t number_at(File& file, std::uint64_t index) {
  std::uint64_t number = 0;
  file.read_at(kNpyHeaderBytes + index * kNumber, std::as_writable_bytes(std::span(&number, 1)));
  return number;
}

// Numbers [first, first + count) of a .npy file, fewer where it ends before.
std::vector<std::uint64_t> numbers(File& file, std::uint64_t first, std::uint64_t count) {
  std::vector<std::uint64_t> found(count);
  const std::size_t bytes =
      file.read_at(kNpyHeaderBytes + first * kNumber, std::as_writable_bytes(std::span(found)));
  found.resize(bytes / kNumber);
  return found;
}

}  // namespace

void require_shard_arrays(Files& files, const OutputReader& shard, const std::string& remedy) {
  const std::uint64_t rows = shard.rows();
  for (const OutputSpec& output : shard.layout().outputs) {
    shard.array(output).require_header(rows);
  }
  const std::string path = shard.path_of(store_files::kChecksums);
  const auto file = files.open(path, OpenMode::kRead);
  const std::string expected = checksums_header(rows);
  if (!has_header(*file, expected) || file->size() != expected.size() + rows * kNumber) {
    damaged(path, "is damaged: its header or its size is not that of its rows", remedy);
  }
}

MergedArrays::MergedArrays(Files& files, std::string directory, const StoreLayout& layout,
                           std::uint64_t rows, const Deal& deal, std::string remedy)
    : files_(files),
      directory_(std::move(directory)),
      outputs_(layout.outputs),
      rows_(rows),
      deal_(deal),
      remedy_(std::move(remedy)) {
  for (const OutputSpec& output : outputs_) {
    Array array{output, open_array(output), nullptr};
    if (output.kind == ArrayKind::kTokens) {
      array.offsets = files_.open(in(offsets_file(output)), OpenMode::kCreate);
    }
    arrays_.push_back(std::move(array));
  }
  checksums_ = files_.open(in(store_files::kChecksums), OpenMode::kCreate);
  checksums_->truncate(kNpyHeaderBytes + rows_ * kNumber);
  checksums_->write_at(0, bytes_of(checksums_header(rows_)));
}

// One that an earlier process had finished is an unfinished one again.
std::unique_ptr<File> MergedArrays::open_array(const OutputSpec& output) {
  const std::string partial = in(partial_file(output));
  if (files_.exists(in(array_file(output))) && !files_.exists(partial)) {
    files_.rename(in(array_file(output)), partial);
  }
  auto file = files_.open(partial, OpenMode::kCreate);
  if (output.kind == ArrayKind::kVector) {
    file->truncate(kNpyHeaderBytes + rows_ * vector_bytes(output));
  }
  return file;
}

std::uint64_t MergedArrays::first_vector(const Array& array, std::uint64_t row) {
  return array.offsets ? number_at(*array.offsets, row) : row;
}

MergedArrays::Stretch MergedArrays::stretch(const Array& array, std::uint64_t row,
                                            std::uint64_t rows) {
  const std::uint64_t each = vector_bytes(array.output);
  const std::uint64_t first = first_vector(array, row);
  return {kNpyHeaderBytes + first * each, (first_vector(array, row + rows) - first) * each};
}

void MergedArrays::place(std::span<const OutputReader* const> shards) {
  for (Array& array : arrays_) {
    if (array.offsets) {
      place(array, shards);
    }
  }
}

void MergedArrays::place(Array& array, std::span<const OutputReader* const> shards) {
  std::vector<std::unique_ptr<File>> from;
  for (const OutputReader* shard : shards) {
    from.push_back(files_.open(shard->path_of(offsets_file(array.output)), OpenMode::kRead));
  }
  array.offsets->truncate(0);
  array.offsets->write_at(0, bytes_of(offsets_header(rows_)));
  std::uint64_t end = 0;
  std::vector<std::uint64_t> ends{end};
  std::uint64_t written = 0;
  for (std::uint64_t position = 0; position < rows_; position += deal_.block) {
    const std::uint64_t shard = deal_.shard(position);
    const std::uint64_t rows = std::min(deal_.block, rows_ - position);
    const std::vector<std::uint64_t> theirs = numbers(*from[shard], deal_.row(position), rows + 1);
    if (theirs.size() != rows + 1 || !std::is_sorted(theirs.begin(), theirs.end())) {
      damaged(shards[shard]->path_of(offsets_file(array.output)),
              "does not say where the rows from " + std::to_string(deal_.row(position)) + " begin",
              remedy_);
    }
    for (std::uint64_t i = 0; i < rows; ++i) {
      end += theirs[i + 1] - theirs[i];
      ends.push_back(end);
    }
    constexpr std::size_t kGathered = 1U << 16;
    if (ends.size() >= kGathered || position + rows == rows_) {
      array.offsets->write_at(kNpyHeaderBytes + written * kNumber, std::as_bytes(std::span(ends)));
      written += ends.size();
      ends.clear();
    }
  }
  if (rows_ == 0) {
    array.offsets->write_at(kNpyHeaderBytes, std::as_bytes(std::span(ends)));
  }
  array.data->truncate(kNpyHeaderBytes + end * vector_bytes(array.output));
}

void MergedArrays::copy(const OutputReader& shard, std::uint64_t index,
                        const std::function<void(std::uint64_t)>& each) {
  constexpr std::uint64_t kTogether = 64;
  std::vector<ArrayReader> from;
  for (const Array& array : arrays_) {
    from.push_back(shard.array(array.output));
  }
  ChecksumReader checksums = shard.checksums();
  std::vector<std::vector<std::byte>> gathered(arrays_.size());
  for (std::uint64_t first = 0, rows = 0; first < shard.rows(); first += rows) {
    each(first);
    rows = std::min({kTogether, deal_.block - first % deal_.block, shard.rows() - first});
    const std::uint64_t position = deal_.position(index, first);
    std::vector<std::uint64_t> sums;
    for (std::vector<std::byte>& bytes : gathered) {
      bytes.clear();
    }
    for (std::uint64_t row = first; row < first + rows; ++row) {
      RowHash hash;
      for (std::size_t i = 0; i < from.size(); ++i) {
        const auto bytes = from[i].bytes(row);
        if (!bytes) {
          damaged(from[i].where(row), "is missing: the file ends before it", remedy_);
        }
        hash.add(*bytes);
        gathered[i].insert(gathered[i].end(), bytes->begin(), bytes->end());
      }
      sums.push_back(hash.value());
      if (checksums.of(row) != sums.back()) {
        damaged(from.front().where(row) + " (row " + std::to_string(deal_.position(index, row)) +
                    " of the input)",
                "does not match its checksum", remedy_);
      }
    }
    for (std::size_t i = 0; i < arrays_.size(); ++i) {
      const Stretch to = stretch(arrays_[i], position, rows);
      if (gathered[i].size() != to.bytes) {
        damaged(from[i].where(first), "and those after it have another size than their offsets say",
                remedy_);
      }
      arrays_[i].data->write_at(to.offset, gathered[i]);
    }
    checksums_->write_at(kNpyHeaderBytes + position * kNumber, std::as_bytes(std::span(sums)));
  }
}

void MergedArrays::copy_row(std::uint64_t from, std::uint64_t to) {
  for (const Array& array : arrays_) {
    const Stretch source = stretch(array, from, 1);
    const Stretch target = stretch(array, to, 1);
    std::vector<std::byte> bytes(source.bytes);
    bytes.resize(array.data->read_at(source.offset, bytes));
    if (bytes.size() != target.bytes) {
      damaged(in(array_file(array.output)) + " row " + std::to_string(to),
              "has no place for what row " + std::to_string(from) + " is, of which it is a copy",
              "");
    }
    array.data->write_at(target.offset, bytes);
  }
  put_checksum(to, number_at(*checksums_, from));
}

void MergedArrays::put_nan(std::uint64_t row) {
  std::vector<std::vector<std::byte>> parts;
  RowHash hash;
  parts.reserve(arrays_.size());
  for (const Array& array : arrays_) {
    const Stretch to = stretch(array, row, 1);
    std::vector<std::byte>& bytes = parts.emplace_back(to.bytes);
    fill_nan(array.output.dtype, bytes);
    hash.add(bytes);
    array.data->write_at(to.offset, bytes);
  }
  put_checksum(row, hash.value());
}

void MergedArrays::put_checksum(std::uint64_t row, std::uint64_t sum) {
  checksums_->write_at(kNpyHeaderBytes + row * kNumber, std::as_bytes(std::span(&sum, 1)));
}

void MergedArrays::sync() {
  for (const Array& array : arrays_) {
    array.data->sync();
    if (array.offsets) {
      array.offsets->sync();
    }
  }
  checksums_->sync();
}

FileClaims MergedArrays::claims() const {
  FileClaims claims;
  claims.extent = rows_;
  if (has_tokens(outputs_)) {
    for (const Array& array : arrays_) {
      claims.arrays.push_back({rows_, first_vector(array, rows_)});
    }
  }
  return claims;
}

void MergedArrays::finish() {
  for (const Array& array : arrays_) {
    array.data->write_at(0, bytes_of(array_header(array.output, first_vector(array, rows_))));
    array.data->sync();
    files_.rename(in(partial_file(array.output)), in(array_file(array.output)));
  }
}

}  // namespace longhaul::store
