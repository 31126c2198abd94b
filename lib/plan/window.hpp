// The order in which the records of a window are encoded, and how batches are cut from it.
// Pure functions of their arguments; any thread.
//
// A record's padded length is a rung of a short ladder, a function of its own length alone, and it
// is computed in a part of records of one rung, whose rows follow from the rung. So the batch that
// a record lands in cannot change its vector.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "domain/numbers.hpp"

#include "plan/rows_policy.hpp"

namespace longhaul::plan {

// Padded length in tokens of a record of `tokens` tokens (special tokens included): the next of
// these rungs, and never more than `max_tokens`.
std::uint32_t rung_of(std::uint32_t tokens, std::optional<std::uint32_t> max_tokens,
                      Rungs rungs = Rungs::kEights);

// One record in encoding order, or one segment of a long one (plan/segments.hpp).
struct Slot {
  std::uint32_t index = 0;  // of the record in its window
  std::uint32_t width = 0;  // padded length in tokens
  std::uint32_t group = 0;  // parts never cross groups; a group is a part with Order::kInput
  std::uint32_t segment = 0;
};

struct Shape {
  std::uint32_t index = 0;   // of the record in its window
  std::uint32_t tokens = 0;  // special tokens included
  std::uint32_t segment = 0;
};

struct OrderSettings {
  Order order = Order::kLength;
  std::uint32_t group_rows = 0;  // Order::kInput: consecutive accepted records per part
  std::optional<std::uint32_t> max_tokens;
  Rungs rungs = Rungs::kEights;
};

// `shapes` are the accepted records of one window in input order. Order::kLength sorts by (rung
// descending, index), so that a record's segments, which are of one length, stay together;
// Order::kInput keeps the order and pads each group to its longest record.
std::vector<Slot> order_window(std::span<const Shape> shapes, const OrderSettings& settings);

// The records of one window as they come: when it is full, and its order. With Order::kInput, which
// knows no segments, it grows until its accepted records fill whole groups, so that no group is cut
// by a window's edge.
class WindowShapes {
 public:
  // `records`: as many as are read ahead.
  WindowShapes(std::uint32_t records, const OrderSettings& settings)
      : most_(records), settings_(settings) {}

  bool full() const;
  bool empty() const { return records_ == 0; }
  void add_not_computed() { ++records_; }
  // `segments` of a record that is computed in several; 0: whole.
  void add(std::uint32_t tokens, std::uint32_t segments);
  std::vector<Slot> order() const { return order_window(shapes_, settings_); }

 private:
  std::uint32_t most_;
  OrderSettings settings_;
  std::uint32_t records_ = 0;
  std::vector<Shape> shapes_;
};

// What a batch of `rows` records padded to `width` costs, in tokens; attention that is not fused
// grows with the square of the width.
constexpr double kQuadraticWidth = 2048;
constexpr double cost_per_row(std::uint32_t width) {
  return static_cast<double>(width) * (1.0 + static_cast<double>(width) / kQuadraticWidth);
}

// Consecutive slots that are computed together: of one width and one group, in `rows` rows of which
// the last are dummies where `count` is less.
struct Part {
  std::uint32_t first = 0;  // slot
  std::uint32_t count = 0;
  std::uint32_t width = 0;
  std::uint32_t rows = 0;

  double cost() const { return cost_per_row(width) * rows; }
};

// How much is in hand at a time. No limit changes what a part is.
struct BatchLimits {
  std::optional<std::uint32_t> rows;    // --batch-size: records
  std::optional<std::uint64_t> tokens;  // --batch-tokens: padding and dummies included
  double budget = 0;                    // the governor's: cost of the parts computed at a time
  double work = 0;                      // cost of all parts, for their time
  std::uint32_t concurrency = 1;        // parts that the encoder computes at a time
};

// What the dearest `concurrency` of these parts cost: what is in memory at a time.
double cost_at_a_time(std::span<const Part> parts, std::uint32_t concurrency);

// The parts, in order and at least one, that the slots from `position` on are computed in next.
std::vector<Part> cut_batch(std::span<const Slot> order, std::size_t position,
                            const RowsPolicy& policy, const BatchLimits& limits);

}  // namespace longhaul::plan
