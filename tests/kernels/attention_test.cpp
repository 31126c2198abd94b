#include <algorithm>
#include <catch2/catch.hpp>

#include "kernels/attention_batch.hpp"

using namespace attention_tests;

namespace {

// How far a result may be from the exact one, as shares of the result and of its terms.
struct Tolerance {
  double of_result = 0;
  double of_terms = 0;
};

template <typename T>
Tolerance tolerance(Isa, std::int64_t) {
  return {0, 4e-6};
}
// A result is rounded to 8 bits; by bfloat16 products the weights are too.
template <>
Tolerance tolerance<Bfloat16>(Isa isa, std::int64_t width) {
  constexpr double kRounding = 1.0 / 256;
  return {kRounding, isa == Isa::kAvx512Bf16 && width % 2 == 0 ? kRounding : 4e-6};
}

// Queries whose results mean something: of a row that hides garbage, those that are none.
template <typename T>
std::int64_t real_queries(const Batch<T>& batch, std::int64_t r, Shape shape, Bias bias) {
  return bias == Bias::kHidden ? std::min(shape.queries, batch.row(r).length) : shape.queries;
}

// Which of them are compared with the exact results: some of a long record, all of a short one.
std::int64_t query_step(std::int64_t queries) {
  return queries <= 40 ? 1 : 29;
}

template <typename T>
using ExactRows = std::vector<std::vector<typename Batch<T>::Exact>>;

template <typename T>
ExactRows<T> exact_results(const Batch<T>& batch, Shape shape, Bias bias) {
  ExactRows<T> all;
  for (std::int64_t r = 0; r < batch.count(); ++r) {
    for (std::int64_t head = 0; head < shape.heads; ++head) {
      const std::int64_t queries = real_queries(batch, r, shape, bias);
      for (std::int64_t i = 0; i < queries; i += query_step(queries)) {
        all.push_back(batch.exact(r, head, i));
      }
    }
  }
  return all;
}

// The greatest error as a share of what is allowed.
template <typename T>
double worst_error(const Batch<T>& batch, const ExactRows<T>& exact, Shape shape, Bias bias,
                   Tolerance allowed) {
  double worst = 0;
  auto wanted = exact.begin();
  for (std::int64_t r = 0; r < batch.count(); ++r) {
    for (std::int64_t head = 0; head < shape.heads; ++head) {
      const std::int64_t queries = real_queries(batch, r, shape, bias);
      for (std::int64_t i = 0; i < queries; i += query_step(queries), ++wanted) {
        for (std::int64_t d = 0; d < shape.width; ++d) {
          const auto& of = (*wanted)[static_cast<std::size_t>(d)];
          const double error = std::abs(double{to_float(batch.out(r, head, i, d))} - of.value);
          const double limit = allowed.of_result * std::abs(of.value) + allowed.of_terms * of.terms;
          worst = std::max(worst, std::isnan(error) ? 1e9 : error / limit);
        }
      }
    }
  }
  return worst;
}

// The greatest difference of two results, over every query.
template <typename T>
double difference(const Batch<T>& left, const Batch<T>& right, Shape shape, Bias bias) {
  double worst = 0;
  for (std::int64_t r = 0; r < left.count(); ++r) {
    const std::int64_t queries = real_queries(left, r, shape, bias);
    for (std::int64_t head = 0; head < shape.heads; ++head) {
      for (std::int64_t i = 0; i < queries; ++i) {
        for (std::int64_t d = 0; d < shape.width; ++d) {
          const double apart = std::abs(double{to_float(left.out(r, head, i, d))} -
                                        double{to_float(right.out(r, head, i, d))});
          worst = std::max(worst, std::isnan(apart) ? 1e9 : apart);
        }
      }
    }
  }
  return worst;
}

template <typename T>
void check(const std::vector<Row>& rows, Shape shape, Layout layout, Bias bias,
           std::int64_t offset) {
  INFO("heads " << shape.heads << " queries " << shape.queries << " keys " << shape.keys
                << " width " << shape.width << " layout " << static_cast<int>(layout) << " bias "
                << static_cast<int>(bias) << " offset " << offset);
  const Batch<T> plain(rows, shape, layout, bias, offset);
  implementations<AttentionTask<T>>().front().run(plain.task(), 0, plain.pairs());
  const ExactRows<T> exact = exact_results(plain, shape, bias);
  CHECK(worst_error(plain, exact, shape, bias, tolerance<T>(Isa::kPlain, shape.width)) <= 1);
  CHECK(plain.gaps_untouched());
  for (const auto& implementation : implementations<AttentionTask<T>>().subspan(1)) {
    if (!implementation.runs_here()) {
      continue;
    }
    INFO(to_string(implementation.isa));
    const Tolerance allowed = tolerance<T>(implementation.isa, shape.width);
    const Batch<T> batch(rows, shape, layout, bias, offset);
    implementation.run(batch.task(), 0, batch.pairs());
    CHECK(worst_error(batch, exact, shape, bias, allowed) <= 1);
    // Values are below 2, and so are results; each of both may be wrong by what is allowed.
    CHECK(difference(batch, plain, shape, bias) <= 4 * (allowed.of_result + allowed.of_terms));
    CHECK(batch.gaps_untouched());
  }
}

constexpr std::int64_t kHeadWidths[] = {1,  2,  3,  4,  5,  7,  8,  13, 15, 16, 17,  20,
                                        31, 32, 33, 47, 48, 63, 64, 65, 72, 80, 127, 128};
constexpr Bias kBiases[] = {Bias::kNone, Bias::kHidden, Bias::kLow};
constexpr Layout kLayouts[] = {Layout::kSeparate, Layout::kMerged};

}  // namespace

TEMPLATE_TEST_CASE("attention equals the exact one and the plain form for every width", "", float,
                   Bfloat16) {
  std::uint64_t content = 1;
  for (const std::int64_t width : kHeadWidths) {
    for (const std::int64_t tokens :
         {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 24, 31, 32, 33, 47, 49, 63, 64, 65, 122}) {
      const Shape shape{.heads = 2, .queries = tokens, .keys = tokens, .width = width};
      const auto turn = static_cast<std::size_t>(width + tokens);
      check<TestType>({{content, tokens}, {content + 1, (tokens + 1) / 2}}, shape,
                      kLayouts[turn % 2], kBiases[turn % 3], static_cast<std::int64_t>(turn % 16));
      content += 2;
    }
  }
}

TEMPLATE_TEST_CASE("attention equals the exact one and the plain form for every length to 600", "",
                   float, Bfloat16) {
  for (std::int64_t tokens = 1; tokens <= 600; ++tokens) {
    const auto turn = static_cast<std::size_t>(tokens);
    // The widths below 48 for most of the long ones.
    const std::int64_t width =
        kHeadWidths[turn % (tokens < 130 || tokens % 10 == 0 ? std::size(kHeadWidths) : 15)];
    const Shape shape{.heads = 1, .queries = tokens, .keys = tokens, .width = width};
    check<TestType>({{turn, tokens - tokens / 7}}, shape, kLayouts[turn / 2 % 2], kBiases[turn % 3],
                    tokens * 7 % 16);
  }
}

TEMPLATE_TEST_CASE("attention takes any alignment, and other numbers of queries than of keys", "",
                   float, Bfloat16) {
  for (std::int64_t offset = 0; offset < 64; ++offset) {
    const std::int64_t width = offset % 2 == 0 ? 20 : 15;
    check<TestType>({{5, 19}, {6, 12}}, {.heads = 3, .queries = 19, .keys = 19, .width = width},
                    Layout::kMerged, Bias::kHidden, offset);
    check<TestType>({{7, 33}}, {.heads = 2, .queries = 1 + offset, .keys = 33, .width = width},
                    Layout::kSeparate, Bias::kNone, offset);
  }
}

TEMPLATE_TEST_CASE("attention: one mask for all rows, and a given scale", "", float, Bfloat16) {
  const Shape shape{.heads = 2, .queries = 21, .keys = 21, .width = 24};
  for (const auto& implementation : implementations<AttentionTask<TestType>>()) {
    if (!implementation.runs_here()) {
      continue;
    }
    INFO(to_string(implementation.isa));
    const Batch<TestType> each({{1, 15}, {2, 15}}, shape, Layout::kMerged, Bias::kHidden, 0);
    implementation.run(each.task(), 0, each.pairs());
    const Batch<TestType> shared({{1, 15}, {2, 15}}, shape, Layout::kMerged, Bias::kHidden, 0);
    AttentionTask<TestType> task = shared.task();
    task.bias_row = 0;
    implementation.run(task, 0, shared.pairs());
    CHECK(each.bits(1, 21) == shared.bits(1, 21));
    // A scale of 0 makes all weights equal: each query's result is the same.
    task.scale = 0;
    implementation.run(task, 0, shared.pairs());
    for (std::int64_t i = 1; i < shape.queries; ++i) {
      CHECK(bits_of(shared.out(1, 1, i, 3)) == bits_of(shared.out(1, 1, 0, 3)));
    }
  }
}
