// The nearest vectors of each of many, exactly: candidates by products of float32
// (score/products.hpp), with a margin that their rounding cannot pass, then each by its score in
// float64 (score/geometry.hpp). So the answer depends on the vectors alone, not on blocks, tiles,
// threads or the device; of equally near ones the lower row is first. Each product that is looked
// at again is held against its bound: a device that multiplies worse than float32 is an
// Error(kInternal). Memory: the queries twice, their lists, and so many candidates as are held at a
// time, however many are equally near.
// One thread calls; `pool` shares out the second look.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/worker_pool.hpp"
#include "score/geometry.hpp"
#include "score/products.hpp"

namespace longhaul::score {

// Vectors with their rows: where they stand, in whatever they are of.
struct NumberedVectors {
  std::vector<float> values = {};  // finite, row by row
  std::vector<std::uint64_t> rows = {};
};

// The same, ready to be searched; those that the geometry does not take are dropped and counted.
struct SearchBlock {
  NumberedVectors vectors;
  std::vector<Geometry::Length> lengths = {};
  ScaledBlock scaled = {};
  std::uint64_t dropped = 0;
};
SearchBlock make_block(const Geometry& geometry, std::size_t width, ScaledBlock::Side side,
                       NumberedVectors vectors);

struct Neighbour {
  double key = 0;  // Geometry::key(): greater is nearer
  std::uint64_t row = 0;
  friend bool operator==(const Neighbour&, const Neighbour&) = default;
};
inline bool nearer(const Neighbour& a, const Neighbour& b) {
  return a.key != b.key ? a.key > b.key : a.row < b.row;
}

// Whether queries are rows of what is searched: then none is a neighbour of its own.
enum class Queries { kOfTheRows, kOfOthers };

class NearestSearch {
 public:
  // All that is handed over by reference outlives this.
  NearestSearch(const Geometry& geometry, std::size_t width, std::size_t count, Queries queries,
                Products& products, WorkerPool& pool);

  void begin(SearchBlock queries);
  // Once for each block of rows, in any order.
  void look_at(const SearchBlock& rows);
  // Of the query at a place of the block that begin() was given, nearest first; fewer than `count`
  // where there are no more. Once for each.
  std::vector<Neighbour> take(std::size_t query);
  const SearchBlock& queries() const { return queries_; }

 private:
  // Its own row is found too.
  std::size_t asked() const { return count_ + (of_ == Queries::kOfTheRows ? 1 : 0); }
  std::vector<ProductScale> set_floors(const SearchBlock& rows);
  float floor_of(std::size_t query, const ProductScale& scale) const;
  void look_again(const SearchBlock& rows, std::span<const ProductScale> scales,
                  std::span<const Candidate> found);
  void group(std::span<const Candidate> found);
  void look_again(std::size_t query, const SearchBlock& rows, const ProductScale& scale);
  void add(std::size_t query, const Neighbour& one);

  const Geometry& geometry_;
  const std::size_t width_, count_;
  const Queries of_;
  Products& products_;
  WorkerPool& pool_;
  SearchBlock queries_;
  std::vector<std::vector<Neighbour>> lists_;  // of each query a heap, the farthest in front
  std::vector<Floor> floors_;
  std::vector<Candidate> grouped_;
  std::vector<std::size_t> begins_;  // of each query in grouped_, and the end
};

// The `count` nearest of each of `rows` vectors (row by row in `values`) by cosine, itself left
// out: their numbers, row by row, nearest first. One thread.
std::vector<std::uint32_t> nearest_of_each(std::span<const float> values, std::size_t rows,
                                           std::size_t count);

// The share of the nearest of each row of `a` that are among its nearest in `b`, whatever their
// order. Both as nearest_of_each() gives them.
double agreement(std::span<const std::uint32_t> a, std::span<const std::uint32_t> b,
                 std::size_t count);

}  // namespace longhaul::score
