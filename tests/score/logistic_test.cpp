#include "score/logistic.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "base/error.hpp"

using namespace longhaul;
using namespace longhaul::score;

namespace {

struct Data {
  std::size_t rows = 40;
  std::size_t columns = 5;
  std::vector<double> values;
  std::vector<std::uint8_t> labels;
  MatrixView view() const { return {values, rows, columns}; }
};

Data some_data() {
  Data data;
  for (std::size_t i = 0; i < data.rows; ++i) {
    for (std::size_t j = 0; j < data.columns; ++j) {
      data.values.push_back(static_cast<double>((i * 7 + j * 13) % 17) / 8 - 1 +
                            0.1 * static_cast<double>(j));
    }
    data.labels.push_back(i * 5 % 11 + i % 3 > 6 ? 1 : 0);
  }
  return data;
}

}  // namespace

// Expected values: LogisticRegression(solver="newton-cholesky", tol=1e-14), scikit-learn 1.9.1.
TEST_CASE("the fit is the penalised optimum, with a free intercept") {
  const Data data = some_data();
  SECTION("C = 1") {
    const LogisticModel model = fit_logistic(data.view(), data.labels);
    const std::vector<double> expected{-0.48675191113835475, 0.041400322071792284,
                                       0.1654990188321306, 0.11335538645695996,
                                       0.47915407002237254};
    for (std::size_t j = 0; j < expected.size(); ++j) {
      CHECK(model.coefficients[j] == Approx(expected[j]).margin(1e-12));
    }
    CHECK(model.intercept == Approx(-0.48480416461036485).margin(1e-12));
    CHECK(model.gradient_norm < 1e-12);
    CHECK(model.constant_columns.empty());
  }
  SECTION("C = 0.01") {
    const LogisticModel model = fit_logistic(data.view(), data.labels, {.c = 0.01});
    CHECK(model.coefficients[0] == Approx(-0.013294452601209606).margin(1e-12));
    CHECK(model.intercept == Approx(-0.20644666795498007).margin(1e-12));
  }
}

TEST_CASE("separable classes still have one finite optimum") {
  const std::vector<double> x{-2, -1, 1, 2};
  const std::vector<std::uint8_t> labels{0, 0, 1, 1};
  const LogisticModel model = fit_logistic({x, 4, 1}, labels);
  CHECK(model.gradient_norm < 1e-12);
  CHECK(model.coefficients[0] > 0.5);
  CHECK(model.intercept == Approx(0).margin(1e-9));
}

TEST_CASE("columns of very different scale converge too") {
  Data data = some_data();
  for (std::size_t i = 0; i < data.rows; ++i) {
    data.values[i * data.columns] *= 1e4;
    data.values[i * data.columns + 1] *= 1e-4;
  }
  CHECK(fit_logistic(data.view(), data.labels).gradient_norm < 1e-8);
}

TEST_CASE("constant columns are named and have no weight") {
  Data data = some_data();
  for (std::size_t i = 0; i < data.rows; ++i) {
    data.values[i * data.columns + 3] = 2.5;
  }
  const LogisticModel model = fit_logistic(data.view(), data.labels);
  CHECK(model.constant_columns == std::vector<std::size_t>{3});
  CHECK(model.coefficients[3] == Approx(0).margin(1e-10));
}

TEST_CASE("what cannot be fitted is refused with the reason") {
  Data data = some_data();
  SECTION("one class only") {
    data.labels.assign(data.rows, 1);
    CHECK_THROWS_WITH(fit_logistic(data.view(), data.labels), Catch::Contains("both classes"));
  }
  SECTION("values that are not finite") {
    data.values[12] = std::nan("");
    CHECK_THROWS_WITH(fit_logistic(data.view(), data.labels), Catch::Contains("row 2"));
  }
  SECTION("no rows") {
    CHECK_THROWS_AS(fit_logistic({{}, 0, 5}, {}), Error);
  }
}

TEST_CASE("the logistic function neither overflows nor loses small probabilities") {
  CHECK(logistic(0) == 0.5);
  CHECK(logistic(-800) == 0);
  CHECK(logistic(800) == 1);
  CHECK(logistic(-40) == Approx(std::exp(-40.0)).epsilon(1e-14));
}

TEST_CASE("the decision is the scalar product and the intercept") {
  const std::vector<double> w{0.5, -2, 3};
  const std::vector<double> x{2, 1, 4};
  CHECK(decision(w, 0.25, x) == 11.25);
}
