#include "score/geometry.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "score/distances.hpp"

namespace longhaul::score {
namespace {

// Sums in an order that the vectors' length alone decides: in so many lanes, then lane by lane.
constexpr std::size_t kLanes = 8;

template <typename Term>
double sum_of(std::size_t count, Term term) {
  std::array<double, kLanes> lanes{};
  const std::size_t whole = count - count % kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] += term(i + lane);
    }
  }
  for (std::size_t i = whole; i < count; ++i) {
    lanes[i - whole] += term(i);
  }
  double sum = 0;
  for (const double lane : lanes) {
    sum += lane;
  }
  return sum;
}

double inverse(double value) {
  return value > 0 ? 1 / value : 0;
}

}  // namespace

Geometry::Length Geometry::length(std::span<const float> vector) const {
  const float* const x = vector.data();
  const double whole =
      std::sqrt(sum_of(vector.size(), [x](std::size_t i) { return double{x[i]} * double{x[i]}; }));
  if (centre.empty()) {
    return {whole, whole > 0};
  }
  const double* const c = centre.data();
  const double left = std::sqrt(sum_of(vector.size(), [x, c](std::size_t i) {
    const double difference = double{x[i]} - c[i];
    return difference * difference;
  }));
  return {left, left > kRounding * whole};
}

void Geometry::take_query(std::span<const float> vector, std::span<double> query) const {
  const bool less = !centre.empty() && metric != Metric::kL2;
  for (std::size_t i = 0; i < vector.size(); ++i) {
    query[i] = double{vector[i]} - (less ? centre[i] : 0);
  }
}

double Geometry::key(std::span<const double> query, const Length& query_length,
                     std::span<const float> vector, const Length& vector_length) const {
  const double* const q = query.data();
  const float* const x = vector.data();
  if (metric == Metric::kL2) {
    return -std::sqrt(sum_of(vector.size(), [q, x](std::size_t i) {
      const double difference = q[i] - double{x[i]};
      return difference * difference;
    }));
  }
  if (metric == Metric::kCosine && !(query_length.direction && vector_length.direction)) {
    return 0;
  }
  double product = 0;
  if (centre.empty()) {
    product = sum_of(vector.size(), [q, x](std::size_t i) { return q[i] * double{x[i]}; });
  } else {
    const double* const c = centre.data();
    product =
        sum_of(vector.size(), [q, x, c](std::size_t i) { return q[i] * (double{x[i]} - c[i]); });
  }
  if (metric == Metric::kDot) {
    return product;
  }
  return std::clamp(product / (query_length.length * vector_length.length), -1.0, 1.0);
}

ScaledBlock::ScaledBlock(const Geometry& geometry, Side side, std::span<const float> values,
                         std::span<const Geometry::Length> lengths)
    : values_(values.size()) {
  for (const Geometry::Length& one : lengths) {
    greatest_ = std::max(greatest_, one.length);
  }
  const std::size_t width = lengths.empty() ? 0 : values.size() / lengths.size();
  for (std::size_t row = 0; row < lengths.size(); ++row) {
    double scale = inverse(lengths[row].length);
    if (geometry.metric == Metric::kCosine) {
      scale = lengths[row].direction ? scale : 0;
    } else if (geometry.metric == Metric::kL2) {
      scale = inverse(geometry.greatest);
      const double scaled = lengths[row].length * scale;
      bias_.push_back(static_cast<float>(-scaled * scaled / 2));
    } else if (side == Side::kRows) {
      scale = inverse(greatest_);
    }
    const float* const from = values.data() + row * width;
    float* const to = values_.data() + row * width;
    if (geometry.centre.empty()) {
      for (std::size_t i = 0; i < width; ++i) {
        to[i] = static_cast<float>(double{from[i]} * scale);
      }
    } else {
      const double* const centre = geometry.centre.data();
      for (std::size_t i = 0; i < width; ++i) {
        to[i] = static_cast<float>((double{from[i]} - centre[i]) * scale);
      }
    }
  }
}

// A product of `width` terms in float32, in whatever order it is summed, is off by at most
// width * u / (1 - width * u) times the lengths of the two, u = 2^-24; what more there is, the
// rounding of the numbers themselves, of the bias and of its sum, is less than 16 terms. Float64
// rounds 2^29 times finer, but of kL2 on the squares of both lengths.
ProductScale::ProductScale(const Geometry& geometry, double query_length, double greatest_of_rows,
                           std::size_t width)
    : metric(geometry.metric) {
  const double terms = static_cast<double>(width) + 16;
  const double relative = terms * 0x1p-24 / (1 - std::min(0.5, terms * 0x1p-24));
  const double tiny = terms * 0x1p-126;  // where float32 underflows
  error = relative + tiny;
  if (metric == Metric::kDot) {
    factor = inverse(query_length * greatest_of_rows);
  } else if (metric == Metric::kL2) {
    const double scale = inverse(geometry.greatest);
    const double query = query_length * scale;
    const double row = greatest_of_rows * scale;
    factor = scale * scale / 2;
    summand = query * query / 2;
    error = relative * (query * row + row * row / 2) +
            terms * 0x1p-52 * (query + row) * (query + row) + tiny;
  }
}

}  // namespace longhaul::score
