#include "encode/batch.hpp"

#include <algorithm>

#include "plan/window.hpp"

namespace longhaul::encode {
namespace {

template <typename T>
std::vector<T> rows_of(const std::vector<T>& values, std::uint32_t rows, std::uint32_t from,
                       std::uint32_t count) {
  const std::size_t per_row = rows == 0 ? 0 : values.size() / rows;
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(per_row * from);
  return {begin, begin + static_cast<std::ptrdiff_t>(per_row * count)};
}

}  // namespace

double cost_of(const HostBatch& part) {
  return plan::cost_per_row(std::max(part.width, 1U)) * part.rows;
}

HostBatch slice(const HostBatch& batch, std::uint32_t from, std::uint32_t count) {
  HostBatch part;
  part.rows = count;
  part.used_rows = std::min(count, batch.used_rows - std::min(batch.used_rows, from));
  part.width = batch.width;
  part.tokens = rows_of(batch.tokens, batch.rows, from, count);
  part.lengths = rows_of(batch.lengths, batch.rows, from, count);
  part.own = rows_of(batch.own, batch.rows, from, count);
  part.pixels = rows_of(batch.pixels, batch.rows, from, count);
  return part;
}

HostBatch filled(HostBatch batch, std::uint32_t rows) {
  if (batch.rows >= rows) {
    return batch;
  }
  batch.tokens.resize(batch.tokens.size() / batch.rows * rows);
  batch.pixels.resize(batch.pixels.size() / batch.rows * rows);
  batch.lengths.resize(rows);
  batch.own.resize(batch.own.empty() ? 0 : rows);
  batch.rows = rows;
  return batch;
}

std::span<const float> EmbeddingBlock::row(std::uint32_t row) const {
  const std::uint64_t first = firsts.empty() ? row : firsts[row];
  const std::uint64_t count = firsts.empty() ? 1 : firsts[row + 1] - first;
  return std::span(values).subspan(first * dimension, count * dimension);
}

}  // namespace longhaul::encode
