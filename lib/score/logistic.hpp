// L2 logistic regression, as the polyreactivity pipeline defines it:
//
//     minimise  1/2 |w|^2 + C sum_i log(1 + exp(-y_i (w.x_i + b))),   y_i in {-1, +1}
//
// with the intercept b outside the penalty, no scaling of x, in float64. It is strictly convex in
// w, so the answer belongs to the data: it is solved until the gradient is as small as double
// allows, and any other solver that goes as far finds the same. Pure; any thread. Throws
// Error(kBadData) for one class only, no rows, values that are not finite, or a problem so badly
// scaled that the gradient does not vanish.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace longhaul::score {

// Borrowed: `rows` x `columns` values, row by row.
struct MatrixView {
  std::span<const double> values;
  std::size_t rows = 0;
  std::size_t columns = 0;
};

struct LogisticSettings {
  double c = 1.0;
};

struct LogisticModel {
  std::vector<double> coefficients;
  double intercept = 0;

  // Largest component of the gradient at the answer; evaluations of the function by the optimiser;
  // Newton steps.
  double gradient_norm = 0;
  int evaluations = 0;
  int newton_steps = 0;
  std::vector<std::size_t> constant_columns;  // their coefficient is 0 and says nothing
};

// labels[i] is 0 or 1.
LogisticModel fit_logistic(const MatrixView& x, std::span<const std::uint8_t> labels,
                           const LogisticSettings& settings = {});

// w.x + b.
double decision(std::span<const double> coefficients, double intercept,
                std::span<const double> vector);
// Probability of class 1: 1 / (1 + exp(-z)), without overflow.
double logistic(double z);

}  // namespace longhaul::score
