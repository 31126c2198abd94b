#include "run/batch_encoder.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/text.hpp"
#include "plan/window.hpp"

namespace longhaul {
namespace {

// A share of bad rows above this is a fault of the device or the model, not of records; a few rows
// are no share.
constexpr double kMostNotFinite = 0.01;
constexpr std::uint64_t kFewNotFinite = 10;

bool is_finite(const EmbeddingBlock& block, std::uint32_t row) {
  const float* vector = block.values.data() + std::size_t{row} * block.dimension;
  return std::all_of(vector, vector + block.dimension, [](float x) { return std::isfinite(x); });
}

}  // namespace

BatchEncoder::Result BatchEncoder::encode(const HostBatch& batch, std::uint32_t width) {
  Result result;
  result.block.rows = batch.used_rows;
  result.block.dimension = encoder_.dimension();
  result.block.values.resize(std::size_t{batch.used_rows} * result.block.dimension);
  encode_rows(batch, width, 0, batch.used_rows, result);
  rows_ += batch.used_rows;
  check_finite(batch, result);
  return result;
}

bool BatchEncoder::attempt(const HostBatch& batch, std::uint32_t width, std::uint32_t from,
                           Result& result) {
  const double cost = cost_per_row(width) * batch.rows;
  std::string reason;
  try {
    const EmbeddingBlock block = encoder_.encode(batch);
    if (block.rows != batch.used_rows || block.dimension != result.block.dimension) {
      throw Error(ExitCode::kBadData,
                  "the encoder gave " + std::to_string(block.rows) + " x " +
                      std::to_string(block.dimension) + " values for " +
                      std::to_string(batch.used_rows) + " records",
                  "check the model with `longhaul inspect`");
    }
    std::copy(block.values.begin(), block.values.end(),
              result.block.values.begin() +
                  static_cast<std::ptrdiff_t>(std::size_t{from} * block.dimension));
    governor_.succeeded(width, cost);
    largest_fitted_ = std::max(largest_fitted_, cost);
    return true;
  } catch (const DeviceOutOfMemory& error) {
    reason = error.what();
  }
  // Outside the handler: what the failed call held is free now.
  governor_.ran_out(width, cost);
  encoder_.device().release_cache();
  if (++out_of_memory_ == 1) {
    log_.warning("out of memory with " + std::to_string(batch.rows) +
                 (batch.rows == 1 ? " record of " : " records of ") + std::to_string(width) +
                 " tokens: going on with smaller batches (" + printable(reason, 200) + ")");
  }
  return false;
}

void BatchEncoder::encode_rows(const HostBatch& batch, std::uint32_t width, std::uint32_t from,
                               std::uint32_t count, Result& result) {
  const bool whole = count == batch.used_rows;
  const double cost = cost_per_row(width) * (whole ? batch.rows : count);
  // A ceiling may have been met since this batch was cut: respect it instead of failing again.
  if (count > 1 && cost > governor_.budget(width)) {
    split_rows(batch, width, from, count, result);
  } else if (attempt(whole ? batch : slice(batch, from, count), width, from, result)) {
    return;
  } else if (count > 1) {
    split_rows(batch, width, from, count, result);
  } else if (!attempt(slice(batch, from, 1), width, from, result)) {
    // Twice: without dummy rows, and with the caches released.
    if (cost_per_row(width) <= largest_fitted_) {
      // Not the record's fault: rejecting it, and all after it, would be false.
      throw Error(ExitCode::kMemory,
                  "out of memory with a single record of " + std::to_string(width) +
                      " tokens, though as much fitted before: something else took the memory",
                  "free some memory and give the same command again: what is done is kept");
    }
    result.failures.push_back({from,
                               {Reason::kOutOfMemory, "does not fit alone, padded to " +
                                                          std::to_string(width) + " tokens"}});
  }
}

void BatchEncoder::split_rows(const HostBatch& batch, std::uint32_t width, std::uint32_t from,
                              std::uint32_t count, Result& result) {
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
    if (++not_finite_ == 1) {
      log_.warning("a vector is not finite: computing it again alone, in float32");
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
      ++stayed_not_finite_;
    }
    if (stayed_not_finite_ >= kFewNotFinite &&
        static_cast<double>(stayed_not_finite_) > kMostNotFinite * static_cast<double>(rows_)) {
      throw Error(ExitCode::kBadData,
                  format_count(stayed_not_finite_) + " of " + format_count(rows_) +
                      " vectors are not finite: the device or the model is at fault",
                  "use --dtype fp32 or another --device");
    }
  }
  std::sort(result.failures.begin(), result.failures.end(),
            [](const Failure& a, const Failure& b) { return a.row < b.row; });
}

}  // namespace longhaul
