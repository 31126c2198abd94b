#include "report/principal_axes.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

namespace longhaul::report {
namespace {

constexpr Eigen::Index kWanted = 2;
// More directions than are wanted converge sooner.
constexpr Eigen::Index kSubspace = 12;
constexpr int kMostSteps = 1000;
constexpr double kLeft = 1e-10;

struct Leading {
  Eigen::VectorXd values;
  Eigen::MatrixXd vectors;  // a column each
};

// Numbers between -1 and 1 that are the same everywhere.
Eigen::MatrixXd some_directions(Eigen::Index rows, Eigen::Index columns) {
  Eigen::MatrixXd matrix(rows, columns);
  std::uint64_t state = 1;
  for (Eigen::Index i = 0; i < matrix.size(); ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    matrix.data()[i] = static_cast<double>(state >> 11) * 0x1p-52 - 1.0;
  }
  return matrix;
}

Eigen::MatrixXd orthonormal(const Eigen::MatrixXd& matrix) {
  const Eigen::HouseholderQR<Eigen::MatrixXd> factors(matrix);
  return factors.householderQ() * Eigen::MatrixXd::Identity(matrix.rows(), matrix.cols());
}

// Subspace iteration: a few products with the matrix instead of all of its eigenvectors, whose cost
// grows with the third power of the dimension. Where it does not get there, all of them.
Leading leading(const Eigen::MatrixXd& matrix) {
  const Eigen::Index wanted = std::min(kWanted, matrix.rows());
  Eigen::MatrixXd basis =
      orthonormal(some_directions(matrix.rows(), std::min(kSubspace, matrix.rows())));
  for (int step = 0; step < kMostSteps; ++step) {
    const Eigen::MatrixXd image = matrix * basis;
    const Eigen::MatrixXd small = basis.transpose() * image;
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(small);
    const Eigen::MatrixXd turn = solver.eigenvectors().rowwise().reverse();
    const Eigen::VectorXd values = solver.eigenvalues().reverse();
    const Eigen::MatrixXd vectors = basis * turn;
    const Eigen::MatrixXd images = image * turn;
    const Eigen::MatrixXd left =
        images.leftCols(wanted) - vectors.leftCols(wanted) * values.head(wanted).asDiagonal();
    if (left.colwise().norm().maxCoeff() <= kLeft * std::abs(values[0])) {
      return {values.head(wanted), vectors.leftCols(wanted)};
    }
    basis = orthonormal(images);
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(matrix);
  return {solver.eigenvalues().reverse().head(wanted),
          solver.eigenvectors().rowwise().reverse().leftCols(wanted)};
}

}  // namespace

PrincipalAxes principal_axes(Covariance& covariance) {
  const std::vector<double> numbers = covariance.matrix();
  const Eigen::Index dimension = covariance.dimension();
  const Eigen::Map<const Eigen::MatrixXd> matrix(numbers.data(), dimension, dimension);
  const double all = matrix.trace();
  const Leading found = leading(matrix);
  PrincipalAxes result;
  result.mean = covariance.mean();
  for (Eigen::Index i = 0; i < found.values.size(); ++i) {
    Eigen::VectorXd axis = found.vectors.col(i);
    Eigen::Index greatest = 0;
    axis.cwiseAbs().maxCoeff(&greatest);
    if (axis[greatest] < 0) {
      axis = -axis;
    }
    result.axes.emplace_back(axis.data(), axis.data() + axis.size());
    result.shares.push_back(all > 0 ? std::max(found.values[i], 0.0) / all : 0.0);
  }
  return result;
}

double project(const PrincipalAxes& axes, std::size_t axis, std::span<const float> vector) {
  double sum = 0;
  for (std::size_t i = 0; i < vector.size(); ++i) {
    sum += (double{vector[i]} - axes.mean[i]) * axes.axes[axis][i];
  }
  return sum;
}

}  // namespace longhaul::report
