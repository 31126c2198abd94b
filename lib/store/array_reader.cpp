#include "store/array_reader.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "store/npy.hpp"
#include "store/store_layout.hpp"
#include "store/stored_values.hpp"

namespace longhaul::store {

ArrayReader::ArrayReader(Files& files, const OutputSpec& output, Place place)
    : output_(output),
      place_(std::move(place)),
      data_(files.open(place_.path, OpenMode::kRead)),
      data_size_(data_.file_size()) {
  if (output.kind == ArrayKind::kTokens) {
    offsets_.emplace(files.open(place_.offsets, OpenMode::kRead));
  }
}

std::uint64_t ArrayReader::stored_bytes() const {
  return place_.float64 ? output_.dimension * sizeof(double) : vector_bytes(output_);
}

std::string ArrayReader::where(std::uint64_t row) const {
  return path() + " row " + std::to_string(row);
}

std::optional<ArrayReader::Extent> ArrayReader::extent(std::uint64_t row) {
  if (!offsets_) {
    return Extent{row, 1};
  }
  std::array<std::int64_t, 2> ends{};
  const auto found = offsets_->at(kNpyHeaderBytes + row * sizeof(std::int64_t), sizeof(ends));
  if (found.size() < sizeof(ends)) {
    return std::nullopt;
  }
  std::memcpy(ends.data(), found.data(), sizeof(ends));
  const std::uint64_t most =
      (data_size_ - std::min(data_size_, place_.header_bytes)) / stored_bytes();
  if (ends[0] < 0 || ends[1] < ends[0] || static_cast<std::uint64_t>(ends[1]) > most) {
    return std::nullopt;
  }
  return Extent{static_cast<std::uint64_t>(ends[0]), static_cast<std::uint64_t>(ends[1] - ends[0])};
}

std::optional<std::span<const std::byte>> ArrayReader::bytes(std::uint64_t row) {
  const std::optional<Extent> place = extent(row);
  if (!place) {
    return std::nullopt;
  }
  const std::uint64_t each = stored_bytes();
  const auto found = data_.at(place_.header_bytes + place->first * each, place->count * each);
  return found.size() == place->count * each ? std::optional(found) : std::nullopt;
}

std::uint64_t ArrayReader::first_vector(std::uint64_t row) {
  if (!offsets_) {
    return row;
  }
  std::int64_t first = -1;
  const auto found = offsets_->at(kNpyHeaderBytes + row * sizeof(first), sizeof(first));
  if (found.size() == sizeof(first)) {
    std::memcpy(&first, found.data(), sizeof(first));
  }
  if (first < 0) {
    throw Error(ExitCode::kBadData,
                place_.offsets + " does not say where row " + std::to_string(row) + " begins",
                place_.remedy);
  }
  return static_cast<std::uint64_t>(first);
}

std::uint64_t ArrayReader::vectors(std::uint64_t row) {
  const std::optional<Extent> place = extent(row);
  if (!place) {
    throw Error(ExitCode::kBadData,
                where(row) + " is missing: " + place_.offsets + " ends before it", place_.remedy);
  }
  return place->count;
}

std::span<const float> ArrayReader::row(std::uint64_t row) {
  const auto stored = bytes(row);
  if (!stored) {
    throw Error(ExitCode::kBadData, where(row) + " is missing: the file ends before it",
                place_.remedy);
  }
  values_.resize(stored->size() / stored_bytes() * output_.dimension);
  if (place_.float64) {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      double value = 0;
      std::memcpy(&value, stored->data() + i * sizeof(value), sizeof(value));
      values_[i] = static_cast<float>(value);
    }
  } else {
    decode_values(*stored, output_.dtype, values_);
  }
  return values_;
}

void ArrayReader::require_header(std::uint64_t rows) {
  const auto check = [&](BlockReader& file, const std::string& name, const std::string& expected,
                         std::uint64_t bytes) {
    const auto header = file.at(0, kNpyHeaderBytes);
    const std::string_view found(reinterpret_cast<const char*>(header.data()), header.size());
    if (found != expected || file.file_size() != kNpyHeaderBytes + bytes) {
      throw Error(ExitCode::kBadData,
                  name + " is damaged: its header or its size is not that of the " +
                      format_count(rows) + " rows it holds",
                  place_.remedy);
    }
  };
  std::uint64_t vectors = rows;
  if (offsets_) {
    check(*offsets_, place_.offsets, offsets_header(rows), (rows + 1) * sizeof(std::int64_t));
    vectors = first_vector(rows);
  }
  check(data_, path(), array_header(output_, vectors), vectors * vector_bytes(output_));
}

ChecksumReader::ChecksumReader(Files& files, const std::string& path)
    : data_(files.open(path, OpenMode::kRead)) {}

std::optional<std::uint64_t> ChecksumReader::of(std::uint64_t row) {
  std::uint64_t sum = 0;
  const auto found = data_.at(kNpyHeaderBytes + row * sizeof(sum), sizeof(sum));
  if (found.size() < sizeof(sum)) {
    return std::nullopt;
  }
  std::memcpy(&sum, found.data(), sizeof(sum));
  return sum;
}

}  // namespace longhaul::store
