#include "store/row_arrays.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "store/npy.hpp"
#include "store/row_hash.hpp"
#include "store/stored_values.hpp"

namespace longhaul::store {
namespace {

std::uint64_t checksum_at(std::uint64_t row) {
  return kNpyHeaderBytes + row * sizeof(std::uint64_t);
}

std::unique_ptr<ArraySink> make_sink(const OutputSpec& output, const RowArrays::Create& create,
                                     const ArrayClaim& claim) {
  std::unique_ptr<File> data = create(partial_file(output));
  if (output.kind == ArrayKind::kTokens) {
    return std::make_unique<RaggedRows>(output, std::move(data), create(offsets_file(output)),
                                        claim);
  }
  return std::make_unique<FixedRows>(output, std::move(data), claim);
}

}  // namespace

RowArrays::RowArrays(const StoreLayout& layout, const Create& create, const FileClaims& claims)
    : outputs_(layout.outputs),
      checksums_(create(store_files::kChecksums)),
      extent_(claims.extent) {
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    sinks_.push_back(make_sink(outputs_[i], create, claims.array(i)));
  }
  checksums_.cut(checksum_at(extent_));
  checksums_.write_now(0, std::vector<std::byte>(kNpyHeaderBytes));
}

void RowArrays::put_checksum(std::uint64_t row, std::uint64_t sum) {
  std::memcpy(checksums_.piece(checksum_at(row), sizeof(sum)).data(), &sum, sizeof(sum));
  extent_ = std::max(extent_, row + 1);
}

void RowArrays::place(std::uint64_t first_row, std::span<const std::uint32_t> residues) {
  for (const auto& sink : sinks_) {
    sink->place(first_row, residues);
  }
}

bool RowArrays::put(std::uint64_t row, std::span<const std::span<const float>> values) {
  if (values.size() != sinks_.size()) {
    throw Error(ExitCode::kInternal, "a row of " + std::to_string(values.size()) + " outputs for " +
                                         std::to_string(sinks_.size()));
  }
  RowHash hash;
  for (std::size_t i = 0; i < sinks_.size(); ++i) {
    const auto bytes = sinks_[i]->put(row, values[i]);
    if (!bytes) {
      return false;
    }
    hash.add(*bytes);
  }
  put_checksum(row, hash.value());
  return true;
}

void RowArrays::put_nan(std::uint64_t row) {
  RowHash hash;
  for (const auto& sink : sinks_) {
    hash.add(sink->put_nan(row));
  }
  put_checksum(row, hash.value());
}

std::optional<std::vector<std::vector<std::byte>>> RowArrays::stored(std::uint64_t row) {
  std::vector<std::vector<std::byte>> parts;
  RowHash hash;
  parts.reserve(sinks_.size());
  for (const auto& sink : sinks_) {
    hash.add(parts.emplace_back(sink->get(row)));
  }
  const std::vector<std::byte> found = checksums_.read(checksum_at(row), sizeof(std::uint64_t));
  std::uint64_t sum = 0;
  if (found.size() < sizeof(sum)) {
    return std::nullopt;
  }
  std::memcpy(&sum, found.data(), sizeof(sum));
  return hash.value() == sum ? std::optional(std::move(parts)) : std::nullopt;
}

std::vector<std::vector<float>> RowArrays::get(std::uint64_t row) {
  const auto parts = stored(row);
  if (!parts) {
    throw Error(ExitCode::kBadData, "row " + std::to_string(row) + " of " +
                                        array_file(outputs_.front()) +
                                        " does not match its checksum");
  }
  std::vector<std::vector<float>> values;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const std::vector<std::byte>& bytes = (*parts)[i];
    values.emplace_back(bytes.size() / vector_bytes(outputs_[i]) * outputs_[i].dimension);
    decode_values(bytes, outputs_[i].dtype, values.back());
  }
  return values;
}

void RowArrays::flush() {
  for (const auto& sink : sinks_) {
    sink->flush();
  }
  checksums_.flush();
}

// All are written before one is waited for.
void RowArrays::sync() {
  flush();
  for (const auto& sink : sinks_) {
    sink->sync();
  }
  checksums_.sync();
}

FileClaims RowArrays::claims(std::uint64_t rows) {
  FileClaims claims;
  claims.extent = std::min(rows, extent_);
  if (has_tokens(outputs_)) {
    for (const auto& sink : sinks_) {
      claims.arrays.push_back(sink->claim(rows));
    }
  }
  return claims;
}

void RowArrays::forget(std::uint64_t rows) {
  for (const auto& sink : sinks_) {
    sink->forget(rows);
  }
  extent_ = rows;
}

void RowArrays::cut() {
  for (const auto& sink : sinks_) {
    sink->cut();
  }
  checksums_.cut(checksum_at(extent_));
}

void RowArrays::finish(std::uint64_t rows) {
  sync();
  for (const auto& sink : sinks_) {
    sink->finish(rows);
  }
  checksums_.write_now(0, bytes_of(checksums_header(rows)));
  checksums_.sync();
}

}  // namespace longhaul::store
