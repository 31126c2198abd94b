// The order in which the records of a window are encoded, and how batches are cut from it.
// Pure functions of their arguments; any thread.
//
// A record's padded length is a rung of a short ladder, a function of its own length alone, and a
// batch holds records of one rung. So the batch a record lands in cannot change its vector.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace longhaul {

// Padded length in tokens of a record of `tokens` tokens (special tokens included): multiples of 8
// up to 512, of 32 up to 2048, of 128 above, and never more than `max_tokens`.
std::uint32_t rung_of(std::uint32_t tokens, std::optional<std::uint32_t> max_tokens);

enum class Order { kLength, kInput };

// One record in encoding order.
struct Slot {
  std::uint32_t index = 0;  // of the record in its window
  std::uint32_t width = 0;  // padded length in tokens
  std::uint32_t group = 0;  // batches never cross groups; one group per batch with Order::kInput
};

struct Shape {
  std::uint32_t index = 0;   // of the record in its window
  std::uint32_t tokens = 0;  // special tokens included
};

struct OrderSettings {
  Order order = Order::kLength;
  std::uint32_t group_rows = 0;  // Order::kInput: consecutive accepted records per batch
  std::optional<std::uint32_t> max_tokens;
};

// `shapes` are the accepted records of one window in input order. Order::kLength sorts by (rung
// descending, index); Order::kInput keeps the order and pads each group to its longest record.
std::vector<Slot> order_window(std::span<const Shape> shapes, const OrderSettings& settings);

// What a batch of `rows` records padded to `width` costs, in tokens; attention that is not fused
// grows with the square of the width.
constexpr double kQuadraticWidth = 2048;
constexpr double cost_per_row(std::uint32_t width) {
  return static_cast<double>(width) * (1.0 + static_cast<double>(width) / kQuadraticWidth);
}

struct BatchLimits {
  std::optional<std::uint32_t> rows;    // --batch-size
  std::optional<std::uint64_t> tokens;  // --batch-tokens: rows x width
  double budget = 0;                    // the governor's, in cost
};

// Rows that a batch of this width may have: at least one.
std::uint32_t rows_per_batch(std::uint32_t width, const BatchLimits& limits);

// How many slots from `position` on make the next batch: at least one, all of one width and group.
std::uint32_t cut_batch(std::span<const Slot> order, std::size_t position,
                        const BatchLimits& limits);

}  // namespace longhaul
