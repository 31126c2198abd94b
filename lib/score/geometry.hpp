// What "near" means: a metric, less a centre or not. Scores in float64, each a function of the two
// vectors and the centre alone, summed in one order: the same bits whatever was computed beside
// them. And how they follow from products of float32, with a bound of how far those may be off.
// Values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "domain/words.hpp"

namespace longhaul::score {

enum class Metric { kCosine, kDot, kL2 };

}  // namespace longhaul::score

namespace longhaul {
template <>
struct Words<score::Metric> {
  static constexpr Word<score::Metric> all[] = {
      {"cosine", score::Metric::kCosine}, {"dot", score::Metric::kDot}, {"l2", score::Metric::kL2}};
};
}  // namespace longhaul

namespace longhaul::score {

// Of vectors without direction, a cosine has none; a sample keeps them, and their cosine is 0.
enum class NoDirection { kLeftOut, kKept };

struct Geometry {
  Metric metric = Metric::kCosine;
  // Subtracted from every vector. For kL2, whose distances do not know it, it only makes the
  // products exacter. Empty: none.
  std::vector<double> centre = {};
  // For kL2: no vector of either side is longer, less the centre.
  double greatest = 0;
  NoDirection no_direction = NoDirection::kLeftOut;

  // Length less the centre. Whether it has a direction: what is left of a vector is more than
  // rounding.
  struct Length {
    double length = 0;
    bool direction = false;
  };
  Length length(std::span<const float> vector) const;
  bool takes(const Length& length) const {
    return metric != Metric::kCosine || length.direction || no_direction == NoDirection::kKept;
  }

  // The query as key() takes it, which must be asked of many rows.
  void take_query(std::span<const float> vector, std::span<double> query) const;
  // Greater is nearer: the cosine, the product, or less the Euclidean distance.
  double key(std::span<const double> query, const Length& query_length,
             std::span<const float> vector, const Length& vector_length) const;
  // What a reader sees of a key: cosine, product or distance.
  double score_of(double key) const { return metric == Metric::kL2 ? 0 - key : key; }
};

// The vectors of one side as products take them, in numbers near 1 so that float32 holds them: the
// values times a scale of each, and for kL2 a bias of each row.
class ScaledBlock {
 public:
  enum class Side { kQueries, kRows };
  ScaledBlock() = default;
  // Drops no vector: the caller has asked takes(). `lengths` one for each.
  ScaledBlock(const Geometry& geometry, Side side, std::span<const float> values,
              std::span<const Geometry::Length> lengths);

  std::span<const float> values() const { return values_; }
  std::span<const float> bias() const { return bias_; }
  double greatest() const { return greatest_; }  // length of a vector of the block, unscaled

 private:
  std::vector<float> values_;
  std::vector<float> bias_;
  double greatest_ = 0;
};

// How the products of a query with the rows of a block go with keys.
struct ProductScale {
  double error = 0;    // no product and bias is farther from value_of(its key)
  double factor = 1;   // of the key, or for kL2 of its square
  double summand = 0;  // for kL2
  Metric metric = Metric::kCosine;

  ProductScale(const Geometry& geometry, double query_length, double greatest_of_rows,
               std::size_t width);
  double value_of(double key) const {
    return metric == Metric::kL2 ? summand - key * key * factor : key * factor;
  }
};

}  // namespace longhaul::score
