#include "encode/pooling.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace longhaul::encode {
namespace {

constexpr float kNoValue = std::numeric_limits<float>::quiet_NaN();

void add_columns(const float* row, const Columns& columns, std::uint32_t dimension, double* sums) {
  for (std::uint32_t column = columns.first; column < columns.last; ++column) {
    const float* token = row + std::size_t{column} * dimension;
    for (std::uint32_t d = 0; d < dimension; ++d) {
      sums[d] += static_cast<double>(token[d]);
    }
  }
}

void mean_of_columns(const float* row, const Columns& columns, std::uint32_t dimension,
                     std::vector<double>& sums, float* out) {
  std::fill(sums.begin(), sums.end(), 0.0);
  add_columns(row, columns, dimension, sums.data());
  for (std::uint32_t d = 0; d < dimension; ++d) {
    out[d] = static_cast<float>(sums[d] / columns.count());
  }
}

void greatest_of_columns(const float* row, const Columns& columns, std::uint32_t dimension,
                         float* out) {
  std::copy_n(row + std::size_t{columns.first} * dimension, dimension, out);
  for (std::uint32_t column = columns.first + 1; column < columns.last; ++column) {
    const float* token = row + std::size_t{column} * dimension;
    for (std::uint32_t d = 0; d < dimension; ++d) {
      // A NaN stays: a broken state must reach the check of finite values.
      out[d] = token[d] > out[d] || std::isnan(token[d]) ? token[d] : out[d];
    }
  }
}

// Those of a segment; none of a whole record.
Columns own_columns(const HostBatch& batch, std::uint32_t row) {
  return batch.own.empty() ? Columns{} : batch.own[row];
}

}  // namespace

Columns residue_columns(const Alphabet& alphabet, std::uint32_t length) {
  const std::uint32_t before = alphabet.prepend ? 1 : 0;
  const std::uint32_t after = alphabet.append ? 1 : 0;
  return length <= before + after ? Columns{} : Columns{before, length - after};
}

Columns residue_columns(const Alphabet& alphabet, const HostBatch& batch, std::uint32_t row) {
  const Columns own = own_columns(batch, row);
  return own.count() > 0 ? own : residue_columns(alphabet, batch.lengths[row]);
}

Columns pooled_columns(Pooling pooling, const Alphabet& alphabet, std::uint32_t length,
                       std::uint32_t width) {
  switch (pooling) {
    case Pooling::kMean:
    case Pooling::kMax:
      return residue_columns(alphabet, length);
    case Pooling::kMeanCompat:
      return {1, std::min(length, width - 1)};
    case Pooling::kCls:
      return {0, std::min<std::uint32_t>(length, 1)};
    case Pooling::kNone:
      break;
  }
  return {};
}

Columns pooled_columns(Pooling pooling, const Alphabet& alphabet, const HostBatch& batch,
                       std::uint32_t row) {
  const Columns own = own_columns(batch, row);
  return own.count() > 0 ? own : pooled_columns(pooling, alphabet, batch.lengths[row], batch.width);
}

std::vector<float> pool_tokens(std::span<const float> hidden, const HostBatch& batch,
                               std::uint32_t dimension, Pooling pooling, const Alphabet& alphabet) {
  std::vector<float> pooled(std::size_t{batch.used_rows} * dimension, kNoValue);
  std::vector<double> sums(dimension);
  for (std::uint32_t i = 0; i < batch.used_rows; ++i) {
    const Columns columns = pooled_columns(pooling, alphabet, batch, i);
    if (columns.count() == 0) {
      continue;
    }
    const float* row = hidden.data() + std::size_t{i} * batch.width * dimension;
    float* out = pooled.data() + std::size_t{i} * dimension;
    if (pooling == Pooling::kMax) {
      greatest_of_columns(row, columns, dimension, out);
    } else {
      mean_of_columns(row, columns, dimension, sums, out);
    }
  }
  return pooled;
}

std::vector<double> sum_segments(std::span<const float> hidden, const HostBatch& batch,
                                 std::uint32_t dimension) {
  std::vector<double> sums;
  if (batch.own.empty()) {
    return sums;
  }
  sums.resize(std::size_t{batch.used_rows} * dimension);
  for (std::uint32_t row = 0; row < batch.used_rows; ++row) {
    add_columns(hidden.data() + std::size_t{row} * batch.width * dimension, batch.own[row],
                dimension, sums.data() + std::size_t{row} * dimension);
  }
  return sums;
}

void normalize_rows(std::span<float> values, std::uint32_t dimension) {
  for (std::size_t start = 0; start < values.size(); start += dimension) {
    double squares = 0;
    for (std::uint32_t d = 0; d < dimension; ++d) {
      squares += static_cast<double>(values[start + d]) * static_cast<double>(values[start + d]);
    }
    const double length = std::sqrt(squares);
    for (std::uint32_t d = 0; d < dimension; ++d) {
      values[start + d] = length > 0
                              ? static_cast<float>(static_cast<double>(values[start + d]) / length)
                              : kNoValue;
    }
  }
}

}  // namespace longhaul::encode
