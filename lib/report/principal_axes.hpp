// The directions in which vectors differ most, from their covariance. Exact: the eigenvectors are
// computed until what is left is 1e-10 of the greatest eigenvalue. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "report/covariance.hpp"

namespace longhaul::report {

struct PrincipalAxes {
  std::vector<double> mean;
  // Each of length 1, the greatest variance first; its greatest number is positive. Two, or one
  // where the vectors have one number.
  std::vector<std::vector<double>> axes;
  std::vector<double> shares;  // of the whole variance, of each axis; 0 where nothing varies
};

PrincipalAxes principal_axes(Covariance& covariance);

// How far the vector lies from the mean along an axis.
double project(const PrincipalAxes& axes, std::size_t axis, std::span<const float> vector);

}  // namespace longhaul::report
