#include "run/batch_encoder.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "plan/window.hpp"

namespace longhaul::run {
namespace {

bool is_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
}

bool is_finite(std::span<const std::span<const float>> row) {
  return std::all_of(row.begin(), row.end(), [](auto output) { return is_finite(output); });
}

bool fits(const encode::EmbeddingBlock& block, const OutputSpec& output, std::uint32_t rows) {
  const bool ragged = output.kind == ArrayKind::kTokens;
  if (block.rows != rows || block.dimension != output.dimension ||
      block.firsts.size() != (ragged ? std::size_t{rows} + 1 : 0)) {
    return false;
  }
  return block.values.size() == (ragged ? block.firsts.back() : rows) * block.dimension;
}

std::uint32_t used_rows(std::span<const encode::HostBatch> parts) {
  return std::accumulate(
      parts.begin(), parts.end(), 0U,
      [](std::uint32_t sum, const encode::HostBatch& part) { return sum + part.used_rows; });
}

std::uint32_t widest(std::span<const encode::HostBatch> parts) {
  std::uint32_t width = 1;  // of images
  for (const encode::HostBatch& part : parts) {
    width = std::max(width, part.width);
  }
  return width;
}

}  // namespace

BatchEncoder::Result BatchEncoder::encode(Parts parts) {
  Result result;
  result.rows = EncodedRows(used_rows(parts));
  encode_parts(parts, 0, result);
  std::uint32_t first = 0;
  for (const encode::HostBatch& part : parts) {
    check_finite(part, first, result);
    first += part.used_rows;
  }
  std::sort(result.failures.begin(), result.failures.end(),
            [](const Failure& a, const Failure& b) { return a.row < b.row; });
  return result;
}

double BatchEncoder::cost_at_a_time(Parts parts) const {
  std::vector<plan::Part> shapes;
  for (const encode::HostBatch& part : parts) {
    shapes.push_back({.first = 0,
                      .count = part.used_rows,
                      .width = std::max(part.width, 1U),
                      .rows = part.rows});
  }
  return longhaul::plan::cost_at_a_time(shapes, encoder_.concurrency());
}

void BatchEncoder::require_shape(const encode::EncodedBatch& encoded,
                                 const encode::HostBatch& part) const {
  if (encoded.blocks.size() != outputs_.size()) {
    throw Error(ExitCode::kInternal, "the encoder gave " + std::to_string(encoded.blocks.size()) +
                                         " of " + std::to_string(outputs_.size()) + " outputs");
  }
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const encode::EmbeddingBlock& block = encoded.blocks[i];
    if (!fits(block, outputs_[i], part.used_rows)) {
      throw Error(ExitCode::kBadData,
                  "the encoder gave " + std::to_string(block.rows) + " x " +
                      std::to_string(block.dimension) + " values for " +
                      std::to_string(part.used_rows) + " records",
                  "check the model with `longhaul inspect`");
    }
  }
}

bool BatchEncoder::attempt(Parts parts, std::uint32_t first, Result& result) {
  const std::uint32_t width = widest(parts);
  const double cost = cost_at_a_time(parts);
  std::string reason;
  try {
    std::vector<encode::EncodedBatch> encoded = encoder_.encode(parts);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      require_shape(encoded.at(i), parts[i]);
      result.rows.put(first, std::move(encoded[i]));
      first += parts[i].used_rows;
    }
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
    const std::uint32_t rows = used_rows(parts);
    log_.warning("out of memory with " + std::to_string(rows) +
                 (rows == 1 ? " record of " : " records of ") + std::to_string(width) +
                 " tokens: going on with smaller batches (" + printable(reason, 200) + ")");
  }
  return false;
}

void BatchEncoder::encode_parts(Parts parts, std::uint32_t first, Result& result) {
  if (parts.empty()) {
    return;
  }
  // A ceiling may have been met since this batch was cut: respect it instead of failing again.
  const bool over = cost_at_a_time(parts) > governor_.budget(widest(parts));
  const bool single = parts.size() == 1 && parts.front().rows == 1;
  if ((!over || single) && attempt(parts, first, result)) {
    return;
  }
  if (parts.size() == 1) {
    encode_in_pieces(parts.front(), first, result);
    return;
  }
  const std::size_t half = parts.size() / 2;
  encode_parts(parts.first(half), first, result);
  encode_parts(parts.subspan(half), first + used_rows(parts.first(half)), result);
}

void BatchEncoder::encode_in_pieces(const encode::HostBatch& part, std::uint32_t first,
                                    Result& result) {
  if (part.rows > 1 && !std::exchange(told_of_pieces_, true)) {
    log_.warning("a part of " + std::to_string(part.rows) +
                 " records does not fit in memory: its "
                 "records are computed in smaller parts, with other low bits, and the output is "
                 "marked as numeric");
  }
  if (part.used_rows == 1) {
    result.reshaped += encode_single(slice(part, 0, 1), first, result) && part.rows > 1 ? 1U : 0U;
    return;
  }
  const std::uint32_t half = part.used_rows / 2;
  const std::uint32_t rest = part.used_rows - half;
  for (const auto& [from, count] : {std::pair(0U, half), std::pair(half, rest)}) {
    const encode::HostBatch piece = slice(part, from, count);
    const bool over = cost_of(piece) > governor_.budget(widest({&piece, 1}));
    if ((!over || count == 1) && attempt({&piece, 1}, first + from, result)) {
      result.reshaped += count;
    } else if (count == 1) {
      result.reshaped += encode_single(piece, first + from, result) ? 1U : 0U;
    } else {
      encode_in_pieces(piece, first + from, result);
    }
  }
}

bool BatchEncoder::encode_single(const encode::HostBatch& part, std::uint32_t first,
                                 Result& result) {
  // Without dummies, and with the caches released.
  if (attempt({&part, 1}, first, result)) {
    return true;
  }
  if (cost_of(part) <= largest_fitted_) {
    // Not the record's fault: rejecting it, and all after it, would be false.
    throw Error(ExitCode::kMemory,
                "out of memory with a single record of " + std::to_string(part.width) +
                    " tokens, though as much fitted before: something else took the memory",
                "free some memory and give the same command again: what is done is kept");
  }
  result.failures.push_back({first,
                             {Reason::kOutOfMemory, "does not fit alone, padded to " +
                                                        std::to_string(part.width) + " tokens"}});
  return false;
}

// In its own shape if that gives numbers, else by itself.
std::optional<encode::EncodedBatch> BatchEncoder::once_more(const encode::HostBatch& part,
                                                            std::uint32_t row, Result& result) {
  encode::Encoder& fallback = fp32_fallback_ ? fp32_fallback_() : encoder_;
  const encode::HostBatch alone = slice(part, row, 1);
  for (const std::uint32_t rows : std::set<std::uint32_t, std::greater<>>{part.rows, 1}) {
    try {
      encode::EncodedBatch again = fallback.encode(filled(alone, rows));
      require_shape(again, alone);
      if (std::all_of(again.blocks.begin(), again.blocks.end(),
                      [](const auto& block) { return is_finite(block.values); })) {
        result.computed_alone += rows < part.rows ? 1U : 0U;
        return again;
      }
    } catch (const DeviceOutOfMemory&) {
      // The next try is smaller.
    }
  }
  return std::nullopt;
}

void BatchEncoder::check_finite(const encode::HostBatch& part, std::uint32_t first,
                                Result& result) {
  const auto failed = [&](std::uint32_t row) {
    return std::any_of(result.failures.begin(), result.failures.end(),
                       [&](const Failure& failure) { return failure.row == row; });
  };
  std::vector<std::span<const float>> numbers;
  for (std::uint32_t row = 0; row < part.used_rows; ++row) {
    if (is_finite(result.rows.row(first + row, numbers)) || failed(first + row)) {
      continue;
    }
    if (++not_finite_ == 1) {
      log_.warning("a vector is not finite: computing it again, in float32");
    }
    if (std::optional<encode::EncodedBatch> again = once_more(part, row, result)) {
      result.rows.put(first + row, std::move(*again));
    } else {
      result.failures.push_back(
          {first + row, {Reason::kNotFinite, "the vector holds NaN or infinity"}});
      ++result.stayed_not_finite;
    }
  }
}

}  // namespace longhaul::run
