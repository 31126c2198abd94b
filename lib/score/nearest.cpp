#include "score/nearest.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace longhaul::score {
namespace {

constexpr std::size_t kQueriesAtOnce = 32;  // of one thread's second look

float rounded_down(double value) {
  return std::nextafter(static_cast<float>(value), -std::numeric_limits<float>::infinity());
}

float rounded_up(double value) {
  return std::nextafter(static_cast<float>(value), std::numeric_limits<float>::infinity());
}

}  // namespace

SearchBlock make_block(const Geometry& geometry, std::size_t width, ScaledBlock::Side side,
                       NumberedVectors vectors) {
  SearchBlock block{.vectors = std::move(vectors)};
  std::vector<float>& values = block.vectors.values;
  std::vector<std::uint64_t>& rows = block.vectors.rows;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Geometry::Length length = geometry.length(std::span(values).subspan(i * width, width));
    if (!geometry.takes(length)) {
      ++block.dropped;
      continue;
    }
    const std::size_t kept = block.lengths.size();
    if (kept != i) {
      rows[kept] = rows[i];
      std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(i * width), width,
                  values.begin() + static_cast<std::ptrdiff_t>(kept * width));
    }
    block.lengths.push_back(length);
  }
  rows.resize(block.lengths.size());
  values.resize(block.lengths.size() * width);
  block.scaled = ScaledBlock(geometry, side, values, block.lengths);
  return block;
}

NearestSearch::NearestSearch(const Geometry& geometry, std::size_t width, std::size_t count,
                             Queries queries, Products& products, WorkerPool& pool)
    : geometry_(geometry),
      width_(width),
      count_(count),
      of_(queries),
      products_(products),
      pool_(pool) {}

void NearestSearch::begin(SearchBlock queries) {
  queries_ = std::move(queries);
  const std::size_t rows = queries_.lengths.size();
  lists_.assign(rows, {});
  products_.set_queries({queries_.scaled.values(), rows, width_});
}

std::vector<ProductScale> NearestSearch::set_floors(const SearchBlock& rows) {
  std::vector<ProductScale> scales;
  floors_.clear();
  for (std::size_t query = 0; query < lists_.size(); ++query) {
    const ProductScale& scale = scales.emplace_back(geometry_, queries_.lengths[query].length,
                                                    rows.scaled.greatest(), width_);
    floors_.push_back({floor_of(query, scale), rounded_up(2 * scale.error)});
  }
  return scales;
}

// Below it no product is of one that its list would take.
float NearestSearch::floor_of(std::size_t query, const ProductScale& scale) const {
  const std::vector<Neighbour>& list = lists_[query];
  return list.size() < count_ ? -std::numeric_limits<float>::infinity()
                              : rounded_down(scale.value_of(list.front().key) - scale.error);
}

void NearestSearch::look_at(const SearchBlock& rows) {
  if (lists_.empty() || rows.lengths.empty()) {
    return;
  }
  const std::vector<ProductScale> scales = set_floors(rows);
  products_.find({rows.scaled.values(), rows.lengths.size(), width_}, rows.scaled.bias(), floors_,
                 asked(),
                 [&](std::span<const Candidate> found) { look_again(rows, scales, found); });
}

void NearestSearch::look_again(const SearchBlock& rows, std::span<const ProductScale> scales,
                               std::span<const Candidate> found) {
  group(found);
  const std::size_t shares = (lists_.size() + kQueriesAtOnce - 1) / kQueriesAtOnce;
  pool_.run(shares, [&](std::size_t share) {
    const std::size_t end = std::min(lists_.size(), (share + 1) * kQueriesAtOnce);
    for (std::size_t query = share * kQueriesAtOnce; query < end; ++query) {
      look_again(query, rows, scales[query]);
    }
  });
}

// By query. Of several tiles each had its own greatest: what none of the block needs is dropped.
void NearestSearch::group(std::span<const Candidate> found) {
  begins_.assign(lists_.size() + 1, 0);
  for (const Candidate& one : found) {
    if (std::isnan(one.value)) {
      throw wrong_product();
    }
    ++begins_[one.query + 1];
  }
  std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
  grouped_.resize(found.size());
  std::vector<std::size_t> next(begins_.begin(), begins_.end() - 1);
  for (const Candidate& one : found) {
    grouped_[next[one.query]++] = one;
  }
  for (std::size_t query = 0; query < lists_.size(); ++query) {
    const auto begin = grouped_.begin() + static_cast<std::ptrdiff_t>(begins_[query]);
    const auto end = grouped_.begin() + static_cast<std::ptrdiff_t>(begins_[query + 1]);
    if (static_cast<std::size_t>(end - begin) > asked()) {
      const auto last = begin + static_cast<std::ptrdiff_t>(asked() - 1);
      std::nth_element(begin, last, end,
                       [](const Candidate& a, const Candidate& b) { return a.value > b.value; });
      floors_[query].at_least =
          std::max(floors_[query].at_least, last->value - floors_[query].slack);
    }
  }
}

void NearestSearch::look_again(std::size_t query, const SearchBlock& rows,
                               const ProductScale& scale) {
  const std::span<const float> vectors = rows.vectors.values;
  const std::span<const float> own =
      std::span(std::as_const(queries_.vectors.values)).subspan(query * width_, width_);
  std::vector<double> wide;
  for (std::size_t at = begins_[query]; at < begins_[query + 1]; ++at) {
    const Candidate& one = grouped_[at];
    const std::uint64_t row = rows.vectors.rows[one.row];
    if (one.value < floors_[query].at_least ||
        (of_ == Queries::kOfTheRows && row == queries_.vectors.rows[query])) {
      continue;
    }
    if (wide.empty()) {
      wide.resize(width_);
      geometry_.take_query(own, wide);
    }
    const double key =
        geometry_.key(wide, queries_.lengths[query], vectors.subspan(one.row * width_, width_),
                      rows.lengths[one.row]);
    if (!(std::abs(double{one.value} - scale.value_of(key)) <= scale.error)) {
      throw wrong_product();
    }
    add(query, {key, row});
  }
  floors_[query].at_least = std::max(floors_[query].at_least, floor_of(query, scale));
}

void NearestSearch::add(std::size_t query, const Neighbour& one) {
  std::vector<Neighbour>& list = lists_[query];
  if (list.size() == count_) {
    if (!nearer(one, list.front())) {
      return;
    }
    std::ranges::pop_heap(list, nearer);
    list.pop_back();
  }
  list.push_back(one);
  std::ranges::push_heap(list, nearer);
}

std::vector<Neighbour> NearestSearch::take(std::size_t query) {
  std::vector<Neighbour> list = std::move(lists_[query]);
  std::ranges::sort(list, nearer);
  return list;
}

std::vector<std::uint32_t> nearest_of_each(std::span<const float> values, std::size_t rows,
                                           std::size_t count) {
  const Geometry geometry{.no_direction = NoDirection::kKept};
  const std::size_t width = rows == 0 ? 0 : values.size() / rows;
  const std::unique_ptr<Products> products = plain_products();
  WorkerPool alone(1);
  NearestSearch search(geometry, width, count, Queries::kOfTheRows, *products, alone);
  NumberedVectors vectors{{values.begin(), values.end()}, std::vector<std::uint64_t>(rows)};
  std::iota(vectors.rows.begin(), vectors.rows.end(), std::uint64_t{0});
  search.begin(make_block(geometry, width, ScaledBlock::Side::kQueries, std::move(vectors)));
  search.look_at(search.queries());
  std::vector<std::uint32_t> nearest;
  for (std::size_t row = 0; row < rows; ++row) {
    for (const Neighbour& one : search.take(row)) {
      nearest.push_back(static_cast<std::uint32_t>(one.row));
    }
  }
  return nearest;
}

double agreement(std::span<const std::uint32_t> a, std::span<const std::uint32_t> b,
                 std::size_t count) {
  std::size_t shared = 0;
  for (std::size_t at = 0; at + count <= a.size(); at += count) {
    const auto others = b.subspan(at, count);
    for (const std::uint32_t one : a.subspan(at, count)) {
      shared += std::find(others.begin(), others.end(), one) != others.end() ? 1U : 0U;
    }
  }
  return a.empty() ? 1 : static_cast<double>(shared) / static_cast<double>(a.size());
}

}  // namespace longhaul::score
