#include "plan/window.hpp"

#include <algorithm>

namespace longhaul {
namespace {

std::uint32_t round_up(std::uint32_t value, std::uint32_t step) {
  return (value + step - 1) / step * step;
}

}  // namespace

std::uint32_t rung_of(std::uint32_t tokens, std::optional<std::uint32_t> max_tokens) {
  const std::uint32_t step = tokens <= 512 ? 8 : tokens <= 2048 ? 32 : 128;
  const std::uint32_t rung = round_up(std::max(tokens, 1U), step);
  return max_tokens ? std::max(tokens, std::min(rung, *max_tokens)) : rung;
}

std::vector<Slot> order_window(std::span<const Shape> shapes, const OrderSettings& settings) {
  std::vector<Slot> order;
  order.reserve(shapes.size());
  if (settings.order == Order::kLength) {
    for (const Shape& shape : shapes) {
      order.push_back({shape.index, rung_of(shape.tokens, settings.max_tokens), 0});
    }
    std::stable_sort(order.begin(), order.end(),
                     [](const Slot& a, const Slot& b) { return a.width > b.width; });
    return order;
  }
  for (std::size_t start = 0; start < shapes.size(); start += settings.group_rows) {
    const auto group =
        shapes.subspan(start, std::min<std::size_t>(settings.group_rows, shapes.size() - start));
    const std::uint32_t width =
        std::max_element(group.begin(), group.end(), [](const Shape& a, const Shape& b) {
          return a.tokens < b.tokens;
        })->tokens;
    for (const Shape& shape : group) {
      order.push_back(
          {shape.index, width, static_cast<std::uint32_t>(start / settings.group_rows)});
    }
  }
  return order;
}

std::uint32_t rows_per_batch(std::uint32_t width, const BatchLimits& limits) {
  const double by_budget = limits.budget / cost_per_row(width);
  std::uint64_t rows = by_budget < 1 ? 1 : static_cast<std::uint64_t>(std::min(by_budget, 1e9));
  if (limits.rows) {
    rows = std::min<std::uint64_t>(rows, *limits.rows);
  }
  if (limits.tokens) {
    rows = std::min<std::uint64_t>(rows, *limits.tokens / width);
  }
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(rows, 1));
}

std::uint32_t cut_batch(std::span<const Slot> order, std::size_t position,
                        const BatchLimits& limits) {
  const Slot& first = order[position];
  const std::uint32_t rows = rows_per_batch(first.width, limits);
  std::uint32_t count = 1;
  while (count < rows && position + count < order.size() &&
         order[position + count].width == first.width &&
         order[position + count].group == first.group) {
    ++count;
  }
  return count;
}

}  // namespace longhaul
