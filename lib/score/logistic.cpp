#include "score/logistic.hpp"

#include <LBFGS.h>

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.hpp"

namespace longhaul::score {
namespace {

using Vector = Eigen::VectorXd;
using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// log(1 + exp(-m)) without overflow.
double log_loss(double margin) {
  return margin > 0 ? std::log1p(std::exp(-margin)) : -margin + std::log1p(std::exp(margin));
}

// The objective over parameters (w, b).
class Problem {
 public:
  Problem(const MatrixView& x, std::span<const std::uint8_t> labels, double c)
      : x_(x.values.data(), to_index(x.rows), to_index(x.columns)),
        signs_(to_index(x.rows)),
        c_(c) {
    for (Eigen::Index i = 0; i < signs_.size(); ++i) {
      signs_[i] = labels[static_cast<std::size_t>(i)] != 0 ? 1.0 : -1.0;
    }
  }

  Eigen::Index size() const { return x_.cols() + 1; }

  // As LBFGS++ calls it.
  double operator()(const Vector& parameters, Vector& gradient) const {
    const Vector margins = margins_at(parameters);
    double loss = 0;
    Vector residuals(margins.size());
    for (Eigen::Index i = 0; i < margins.size(); ++i) {
      loss += log_loss(margins[i]);
      residuals[i] = -signs_[i] * logistic(-margins[i]);
    }
    const auto w = parameters.head(x_.cols());
    gradient.resize(size());
    gradient.head(x_.cols()).noalias() = c_ * (x_.transpose() * residuals) + w;
    gradient[x_.cols()] = c_ * residuals.sum();
    return 0.5 * w.squaredNorm() + c_ * loss;
  }

  Eigen::MatrixXd hessian(const Vector& parameters) const {
    const Vector margins = margins_at(parameters);
    RowMatrix weighted(x_.rows(), size());
    for (Eigen::Index i = 0; i < margins.size(); ++i) {
      const double p = logistic(margins[i]);
      const double root = std::sqrt(c_ * p * logistic(-margins[i]));
      weighted.row(i).head(x_.cols()) = root * x_.row(i);
      weighted(i, x_.cols()) = root;
    }
    Eigen::MatrixXd h = Eigen::MatrixXd::Zero(size(), size());
    h.selfadjointView<Eigen::Lower>().rankUpdate(weighted.transpose());
    h.diagonal().head(x_.cols()).array() += 1.0;
    return h;
  }

  // What rounding alone can leave of a gradient component: the sums have terms this large.
  double rounding_floor() const {
    const double largest_sum =
        std::max(x_.cwiseAbs().colwise().sum().maxCoeff(), static_cast<double>(x_.rows()));
    return 1e-15 * c_ * largest_sum;
  }

 private:
  static Eigen::Index to_index(std::size_t n) { return static_cast<Eigen::Index>(n); }

  Vector margins_at(const Vector& parameters) const {
    const Vector z = (x_ * parameters.head(x_.cols())).array() + parameters[x_.cols()];
    return z.cwiseProduct(signs_);
  }

  Eigen::Map<const RowMatrix> x_;
  Vector signs_;
  double c_;
};

double largest(const Vector& gradient) {
  return gradient.lpNorm<Eigen::Infinity>();
}

// LBFGS++ does the long way: until five iterations bring next to nothing. It cannot finish, since
// its line search compares function values, which in double cannot tell apart steps once the
// gradient is below about 1e-6 of the values' scale; should it throw for that, where it stood is
// good enough.
int descend(const Problem& problem, Vector& parameters) {
  LBFGSpp::LBFGSParam<double> settings;
  settings.m = 10;
  settings.epsilon = 1e-6;
  settings.epsilon_rel = 0;
  settings.past = 5;
  settings.delta = 1e-9;
  settings.max_iterations = 10000;
  settings.max_linesearch = 60;
  LBFGSpp::LBFGSSolver<double> solver(settings);
  Vector best = parameters;
  double best_value = std::numeric_limits<double>::infinity();
  int evaluations = 0;
  const auto remembering = [&](const Vector& at, Vector& gradient) {
    const double value = problem(at, gradient);
    ++evaluations;
    if (value < best_value) {
      best_value = value;
      best = at;
    }
    return value;
  };
  double value = 0;
  try {
    solver.minimize(remembering, parameters, value);
  } catch (const std::exception&) {
    parameters = best;
  }
  return evaluations;
}

// Newton's method finishes: close to the answer each step squares the error. A step is halved until
// the gradient shrinks; it ends at what rounding leaves of the gradient.
int polish(const Problem& problem, Vector& parameters, Vector& gradient) {
  constexpr int kMaxSteps = 100;
  problem(parameters, gradient);
  int steps = 0;
  for (; steps < kMaxSteps && largest(gradient) > problem.rounding_floor(); ++steps) {
    const Eigen::LLT<Eigen::MatrixXd> factor(problem.hessian(parameters));
    if (factor.info() != Eigen::Success) {
      break;
    }
    const Vector step = factor.solve(gradient);
    double scale = 1;
    Vector next;
    Vector next_gradient;
    do {
      next = parameters - scale * step;
      problem(next, next_gradient);
      scale /= 2;
    } while (!(largest(next_gradient) < largest(gradient)) && scale > 1e-6);
    if (!(largest(next_gradient) < largest(gradient))) {
      break;
    }
    parameters = next;
    gradient = next_gradient;
  }
  return steps;
}

void check(const MatrixView& x, std::span<const std::uint8_t> labels) {
  if (x.rows == 0 || x.columns == 0) {
    throw Error(ExitCode::kBadData, "there is nothing to fit: no labelled row has a vector");
  }
  const auto positives = static_cast<std::size_t>(
      std::count_if(labels.begin(), labels.end(), [](std::uint8_t label) { return label != 0; }));
  if (positives == 0 || positives == labels.size()) {
    throw Error(ExitCode::kBadData,
                "all " + std::to_string(labels.size()) + " labels are " +
                    (positives == 0 ? "0" : "1") + ": a classifier needs both classes",
                "check the label column");
  }
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    if (!std::isfinite(x.values[i])) {
      throw Error(ExitCode::kBadData,
                  "row " + std::to_string(i / x.columns) + " of the training matrix is not finite");
    }
  }
}

std::vector<std::size_t> constant_columns(const MatrixView& x) {
  std::vector<std::size_t> constant;
  for (std::size_t column = 0; column < x.columns; ++column) {
    const double first = x.values[column];
    bool varies = false;
    for (std::size_t row = 1; row < x.rows && !varies; ++row) {
      varies = x.values[row * x.columns + column] != first;
    }
    if (!varies) {
      constant.push_back(column);
    }
  }
  return constant;
}

}  // namespace

double decision(std::span<const double> coefficients, double intercept,
                std::span<const double> vector) {
  double sum = 0;
  for (std::size_t i = 0; i < coefficients.size(); ++i) {
    sum += coefficients[i] * vector[i];
  }
  return sum + intercept;
}

double logistic(double z) {
  if (z >= 0) {
    return 1 / (1 + std::exp(-z));
  }
  const double e = std::exp(z);
  return e / (1 + e);
}

LogisticModel fit_logistic(const MatrixView& x, std::span<const std::uint8_t> labels,
                           const LogisticSettings& settings) {
  check(x, labels);
  const Problem problem(x, labels, settings.c);
  Vector parameters = Vector::Zero(problem.size());
  Vector gradient;
  LogisticModel model;
  model.evaluations = descend(problem, parameters);
  model.newton_steps = polish(problem, parameters, gradient);
  model.gradient_norm = largest(gradient);
  const double tolerance = std::max(1e-8, 1e3 * problem.rounding_floor());
  if (!(model.gradient_norm <= tolerance)) {
    throw Error(ExitCode::kBadData,
                "the regression did not converge: gradient " + std::to_string(model.gradient_norm),
                "the columns differ too much in scale; embed with --normalize l2");
  }
  model.coefficients.assign(parameters.data(), parameters.data() + x.columns);
  model.intercept = parameters[problem.size() - 1];
  model.constant_columns = constant_columns(x);
  return model;
}

}  // namespace longhaul::score
