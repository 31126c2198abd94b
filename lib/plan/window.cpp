#include "plan/window.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <numeric>

namespace longhaul::plan {
namespace {

std::uint32_t round_up(std::uint32_t value, std::uint32_t step) {
  return (value + step - 1) / step * step;
}

std::uint32_t step_of(std::uint32_t tokens, Rungs rungs) {
  if (rungs == Rungs::kFine) {
    return std::bit_ceil(round_up(std::max(tokens, 1U), 128) / 128);
  }
  return tokens <= 512 ? 8 : tokens <= 2048 ? 32 : 128;
}

}  // namespace

std::uint32_t rung_of(std::uint32_t tokens, std::optional<std::uint32_t> max_tokens, Rungs rungs) {
  const std::uint32_t step = step_of(tokens, rungs);
  const std::uint32_t rung = round_up(std::max(tokens, 1U), step);
  return max_tokens ? std::max(tokens, std::min(rung, *max_tokens)) : rung;
}

std::vector<Slot> order_window(std::span<const Shape> shapes, const OrderSettings& settings) {
  std::vector<Slot> order;
  order.reserve(shapes.size());
  if (settings.order == Order::kLength) {
    for (const Shape& shape : shapes) {
      order.push_back({shape.index, rung_of(shape.tokens, settings.max_tokens, settings.rungs), 0,
                       shape.segment});
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
      order.push_back({shape.index, width, static_cast<std::uint32_t>(start / settings.group_rows),
                       shape.segment});
    }
  }
  return order;
}

bool WindowShapes::full() const {
  return records_ >= most_ &&
         (settings_.order == Order::kLength || shapes_.size() % settings_.group_rows == 0);
}

void WindowShapes::add(std::uint32_t tokens, std::uint32_t segments) {
  for (std::uint32_t segment = 0; segment < std::max(segments, 1U); ++segment) {
    shapes_.push_back({records_, tokens, segment});
  }
  ++records_;
}

double cost_at_a_time(std::span<const Part> parts, std::uint32_t concurrency) {
  std::vector<double> costs;
  costs.reserve(parts.size());
  for (const Part& part : parts) {
    costs.push_back(part.cost());
  }
  const auto counted =
      costs.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(concurrency, costs.size()));
  std::partial_sort(costs.begin(), counted, costs.end(), std::greater<>());
  return std::accumulate(costs.begin(), counted, 0.0);
}

std::vector<Part> cut_batch(std::span<const Slot> order, std::size_t position,
                            const RowsPolicy& policy, const BatchLimits& limits) {
  std::vector<Part> parts;
  std::uint64_t records = 0;
  std::uint64_t tokens = 0;
  double work = 0;
  while (position < order.size()) {
    const Slot& first = order[position];
    const std::uint32_t rows = policy.rows(first.width);
    Part part{.first = static_cast<std::uint32_t>(position),
              .count = 1,
              .width = first.width,
              .rows = rows};
    while ((rows == 0 || part.count < rows) && position + part.count < order.size() &&
           order[position + part.count].width == first.width &&
           order[position + part.count].group == first.group) {
      ++part.count;
    }
    part.rows = std::max(part.rows, part.count);
    records += part.count;
    tokens += std::uint64_t{part.rows} * part.width;
    work += part.cost();
    parts.push_back(part);
    const bool too_much = (limits.rows && records > *limits.rows) ||
                          (limits.tokens && tokens > *limits.tokens) || work > limits.work ||
                          cost_at_a_time(parts, limits.concurrency) > limits.budget;
    if (too_much && parts.size() > 1) {
      parts.pop_back();
      break;
    }
    if (too_much) {
      break;
    }
    position += part.count;
  }
  return parts;
}

}  // namespace longhaul::plan
