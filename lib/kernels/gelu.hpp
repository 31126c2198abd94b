// gelu as linear layers apply it before their results are rounded to bfloat16.
//   gelu(x) = x * P(x), P the normal distribution (or its form with tanh)
// P is 0.5 + t * p(t^2), t being x held between -limit and limit, where P is 0 or 1 to four
// millionths: no exponential and no division. The coefficients are fitted over that range to the
// least greatest error of gelu (reweighted least squares), which is 6e-5 at most, while bfloat16
// rounds 0.03 by as much and 1 by 4e-3. tests/kernels checks it.
#pragma once

namespace longhaul::kernels {

struct GeluFit {
  float limit;
  float coefficients[10];  // of t^2, ascending
};

inline constexpr GeluFit kGelu{
    4.5F,
    {3.988289237e-01F, -6.622008234e-02F, 9.748300537e-03F, -1.092749881e-03F, 9.194490121e-05F,
     -5.660636361e-06F, 2.445317477e-07F, -6.947414199e-09F, 1.156275978e-10F, -8.486393012e-13F}};
inline constexpr GeluFit kGeluTanh{
    4.25F,
    {3.987929821e-01F, -6.646464020e-02F, 9.913759306e-03F, -1.131999539e-03F, 9.618219337e-05F,
     -5.812938980e-06F, 2.336091285e-07F, -5.592016183e-09F, 6.259115448e-11F, -9.814351209e-14F}};

}  // namespace longhaul::kernels
