#include "score/array_diff.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "score/nearest.hpp"

namespace longhaul::score {
namespace {

// Numbers of the sample: 16 MiB of each output.
constexpr std::size_t kSampleNumbers = 4U << 20;

bool finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
}

double length(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) {
    sum += value * value;
  }
  return std::sqrt(sum);
}

// The worse of two: the centred distance shows what the raw one hides.
bool worse(const WorstPair& left, const WorstPair& right) {
  const double one = left.centred_distance.value_or(left.distance);
  const double other = right.centred_distance.value_or(right.distance);
  return one != other ? one > other : left.row_a < right.row_a;
}

}  // namespace

void ArrayComparison::Vectors::take(std::span<const float> vector) {
  values.assign(vector.begin(), vector.end());
}

void ArrayComparison::Vectors::subtract_mean() {
  centred.resize(values.size());
  std::ranges::transform(values, mean, centred.begin(), std::minus<>());
}

ArrayComparison::ArrayComparison(store::ArrayReader a, store::ArrayReader b,
                                 const DiffSettings& settings)
    : settings_(settings), reader_a_(std::move(a)), reader_b_(std::move(b)) {
  result_.a = reader_a_.output();
  result_.b = reader_b_.output();
  a_.mean.resize(width());
  b_.mean.resize(width());
}

bool ArrayComparison::same_bytes(std::uint64_t row_a, std::uint64_t row_b) {
  if (result_.a.dtype != result_.b.dtype) {
    return false;
  }
  const auto a = reader_a_.bytes(row_a);
  const auto b = reader_b_.bytes(row_b);
  return a && b && std::ranges::equal(*a, *b);
}

void ArrayComparison::compare(std::uint64_t row_a, std::uint64_t row_b) {
  const bool same = same_bytes(row_a, row_b);
  const std::span<const float> a = reader_a_.row(row_a);
  const std::span<const float> b = reader_b_.row(row_b);
  if (a.size() != b.size()) {
    ++result_.other_count;
    return;
  }
  for (std::size_t at = 0; at < a.size(); at += width()) {
    compare_vectors(a.subspan(at, width()), b.subspan(at, width()), same);
  }
}

void ArrayComparison::compare_vectors(std::span<const float> a, std::span<const float> b,
                                      bool same) {
  if (!finite(a) || !finite(b)) {
    ++result_.not_finite;
    return;
  }
  ++result_.vectors;
  same = same || std::ranges::equal(std::as_bytes(a), std::as_bytes(b));
  double greatest = 0;
  double scale = 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    greatest = std::max(greatest, std::abs(double{a[i]} - double{b[i]}));
    scale = std::max(scale, std::abs(double{a[i]}));
    a_.mean[i] += a[i];
    b_.mean[i] += b[i];
  }
  result_.greatest_difference = std::max(result_.greatest_difference, greatest);
  result_.greatest_relative = std::max(result_.greatest_relative, greatest / scale);
  result_.same_bits += same ? 1U : 0U;
  const bool beyond = settings_.tolerance ? greatest / scale > *settings_.tolerance : !same;
  result_.beyond += beyond ? 1U : 0U;
}

void ArrayComparison::begin_second_look() {
  for (std::vector<double>* mean : {&a_.mean, &b_.mean}) {
    for (double& value : *mean) {
      value /= static_cast<double>(std::max<std::uint64_t>(1, result_.vectors));
    }
  }
  random_.seed(settings_.seed);
  left_ = result_.vectors;
  if (result_.a.kind == ArrayKind::kVector) {
    const std::size_t most =
        std::max<std::size_t>(2, kSampleNumbers / std::max<std::size_t>(1, width()));
    to_draw_ =
        static_cast<std::size_t>(std::min<std::uint64_t>(left_, std::min(settings_.sample, most)));
  }
}

void ArrayComparison::look_again(std::uint64_t row_a, std::uint64_t row_b) {
  const std::span<const float> a = reader_a_.row(row_a);
  const std::span<const float> b = reader_b_.row(row_b);
  if (a.size() != b.size()) {
    return;
  }
  WorstPair pair;
  pair.row_a = row_a;
  pair.row_b = row_b;
  for (std::size_t at = 0; at < a.size(); at += width(), ++pair.vector) {
    look_again_at(pair, a.subspan(at, width()), b.subspan(at, width()));
  }
}

void ArrayComparison::look_again_at(WorstPair pair, std::span<const float> a,
                                    std::span<const float> b) {
  if (!finite(a) || !finite(b)) {
    return;
  }
  a_.take(a);
  b_.take(b);
  draw(a, b);
  a_.subtract_mean();
  b_.subtract_mean();
  const std::optional<double> distance = cosine_distance(a_.values, b_.values);
  pair.centred_distance = cosine_distance(a_.centred, b_.centred, kRounding * length(a_.values),
                                          kRounding * length(b_.values));
  for (std::size_t i = 0; i < a.size(); ++i) {
    pair.difference = std::max(pair.difference, std::abs(a_.values[i] - b_.values[i]));
  }
  if (pair.centred_distance) {
    result_.centred.add(*pair.centred_distance);
  }
  if (distance) {
    result_.distances.add(*distance);
    pair.distance = *distance;
  } else {
    ++result_.no_direction;
    pair.distance = pair.difference > 0 ? 1 : 0;  // one of the two is zero
  }
  if (pair.difference > 0) {
    add_worst(pair);
  }
}

void ArrayComparison::add_worst(const WorstPair& pair) {
  std::vector<WorstPair>& worst = result_.worst;  // a heap with the least of them in front
  if (worst.size() == settings_.worst) {
    if (worst.empty() || !worse(pair, worst.front())) {
      return;
    }
    std::ranges::pop_heap(worst, worse);
    worst.pop_back();
  }
  worst.push_back(pair);
  std::ranges::push_heap(worst, worse);
}

// Every vector is as likely as any other to be in the sample (Knuth's algorithm S).
void ArrayComparison::draw(std::span<const float> a, std::span<const float> b) {
  if (to_draw_ == 0) {
    return;
  }
  if (random_() % left_-- < to_draw_) {
    --to_draw_;
    sample_a_.insert(sample_a_.end(), a.begin(), a.end());
    sample_b_.insert(sample_b_.end(), b.begin(), b.end());
  }
}

ArrayDiff ArrayComparison::finish() {
  const std::size_t rows = width() == 0 ? 0 : sample_a_.size() / width();
  if (rows > 2) {
    result_.sample = rows;
    result_.neighbours = std::min(settings_.neighbours, rows - 1);
    result_.agreement =
        agreement(nearest_of_each(sample_a_, rows, result_.neighbours),
                  nearest_of_each(sample_b_, rows, result_.neighbours), result_.neighbours);
  }
  std::ranges::sort(result_.worst, worse);
  return std::move(result_);
}

}  // namespace longhaul::score
