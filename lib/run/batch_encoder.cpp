#include "run/batch_encoder.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/text.hpp"
#include "plan/window.hpp"

namespace longhaul {
namespace {

// A share of bad rows above this is a fault of the device or the model, not of records.
constexpr double kMostNotFinite = 0.01;
constexpr std::uint64_t kRowsBeforeShareCounts = 100;

bool is_finite(const EmbeddingBlock& block, std::uint32_t row) {
  const float* vector = block.values.data() + std::size_t{row} * block.dimension;
  return std::all_of(vector, vector + block.dimension, [](float x) { return std::isfinite(x); });
}

template <typename T>
std::vector<T> rows_of(const std::vector<T>& values, std::uint32_t rows, std::uint32_t from,
                       std::uint32_t count) {
  const std::size_t per_row = rows == 0 ? 0 : values.size() / rows;
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(per_row * from);
  return {begin, begin + static_cast<std::ptrdiff_t>(per_row * count)};
}

}  // namespace

HostBatch slice(const HostBatch& batch, std::uint32_t from, std::uint32_t count) {
  HostBatch part;
  part.rows = count;
  part.used_rows = count;
  part.width = batch.width;
  part.tokens = rows_of(batch.tokens, batch.rows, from, count);
  part.lengths = rows_of(batch.lengths, batch.rows, from, count);
  part.pixels = rows_of(batch.pixels, batch.rows, from, count);
  return part;
}

BatchEncoder::Result BatchEncoder::encode(const HostBatch& batch, std::uint32_t width) {
  Result result;
  result.block.rows = batch.used_rows;
  result.block.dimension = encoder_.dimension();
  encode_rows(batch, width, 0, batch.used_rows, result);
  rows_ += batch.used_rows;
  check_finite(batch, result);
  return result;
}

void BatchEncoder::encode_rows(const HostBatch& batch, std::uint32_t width, std::uint32_t from,
                               std::uint32_t count, Result& result) {
  const bool whole = count == batch.used_rows;
  const std::uint32_t rows_computed = whole ? batch.rows : count;
  const double cost = cost_per_row(width) * rows_computed;
  // A ceiling may have been met since this batch was cut: respect it instead of failing again.
  bool fits = count == 1 || cost <= governor_.budget(width);
  if (fits) {
    std::string reason;
    try {
      const EmbeddingBlock block = encoder_.encode(whole ? batch : slice(batch, from, count));
      if (block.rows != count || block.dimension != result.block.dimension) {
        throw Error(ExitCode::kBadData,
                    "the encoder gave " + std::to_string(block.rows) + " x " +
                        std::to_string(block.dimension) + " values for " + std::to_string(count) +
                        " records",
                    "check the model with `longhaul inspect`");
      }
      if (whole) {
        result.block.values = block.values;
      } else {
        result.block.values.resize(std::size_t{batch.used_rows} * result.block.dimension);
        std::copy(block.values.begin(), block.values.end(),
                  result.block.values.begin() +
                      static_cast<std::ptrdiff_t>(std::size_t{from} * block.dimension));
      }
      governor_.succeeded(width, cost);
      return;
    } catch (const DeviceOutOfMemory& error) {
      reason = error.what();
    }
    // Outside the handler: what the failed call held is free now.
    governor_.ran_out(width, cost);
    encoder_.device().release_cache();
    if (++out_of_memory_ == 1) {
      log_.warning("out of memory with " + std::to_string(count) + " records of " +
                   std::to_string(width) + " tokens: going on with smaller batches (" +
                   printable(reason, 200) + ")");
    }
    if (count == 1) {
      result.block.values.resize(std::size_t{batch.used_rows} * result.block.dimension);
      result.failures.push_back({from,
                                 {Reason::kOutOfMemory, "does not fit alone, padded to " +
                                                            std::to_string(width) + " tokens"}});
      return;
    }
  }
  has_split_ = true;
  const std::uint32_t half = count / 2;
  encode_rows(batch, width, from, half, result);
  encode_rows(batch, width, from + half, count - half, result);
}

void BatchEncoder::check_finite(const HostBatch& batch, Result& result) {
  const auto failed = [&](std::uint32_t row) {
    return std::any_of(result.failures.begin(), result.failures.end(),
                       [&](const Failure& failure) { return failure.row == row; });
  };
  for (std::uint32_t row = 0; row < batch.used_rows; ++row) {
    if (is_finite(result.block, row) || failed(row)) {
      continue;
    }
    ++not_finite_;
    if (rows_ >= kRowsBeforeShareCounts &&
        static_cast<double>(not_finite_) > kMostNotFinite * static_cast<double>(rows_)) {
      throw Error(ExitCode::kBadData,
                  format_count(not_finite_) + " of " + format_count(rows_) +
                      " vectors are not finite: the device or the model is at fault",
                  "use --dtype fp32 or another --device");
    }
    Encoder& exact = exact_encoder_ ? exact_encoder_() : encoder_;
    EmbeddingBlock alone;
    try {
      alone = exact.encode(slice(batch, row, 1));
    } catch (const DeviceOutOfMemory&) {
      alone = {};
    }
    if (alone.rows == 1 && is_finite(alone, 0)) {
      std::copy(alone.values.begin(), alone.values.end(),
                result.block.values.begin() +
                    static_cast<std::ptrdiff_t>(std::size_t{row} * alone.dimension));
    } else {
      result.failures.push_back({row, {Reason::kNotFinite, "the vector holds NaN or infinity"}});
    }
  }
  std::sort(result.failures.begin(), result.failures.end(),
            [](const Failure& a, const Failure& b) { return a.row < b.row; });
}

}  // namespace longhaul
